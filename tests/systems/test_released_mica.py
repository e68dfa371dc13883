"""Checkpoints of the released MiCA: recognised, converted, loaded, and refused by name."""

import json
from pathlib import Path

import pytest
import torch
from official_detris import tower_sizes
from official_mica import mica_overrides, released_towers
from parity import Recording, read_shapes
from released_files import random_state, write_released
from torch import Tensor

from risbook.config import with_overrides
from risbook.errors import DataError
from risbook.systems import (
    MiCA,
    SystemPreset,
    build_meta_system,
    convert_released,
    load_released,
    load_system,
)
from risbook.systems.mica import MiCAConfig, build_mica
from risbook.systems.mica.rename_mica import RELEASED_MICA, rename_mica, split_adapters
from risbook.systems.released_names import HEAD_PREFIXES
from risbook.systems.system_presets import SYSTEMS
from risbook.tokenizers.interface import ShapeOnlyTokenizer
from risbook.tokenizers.word_tokenizer import WordTokenizer
from risbook.towers.presets import TOWERS, TowerPreset

KEYS = "mica/state_dict_keys_refcoco_base.tsv"


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Recording:
    """The recorded small towers as the preset "mica-recorded"."""
    file = Recording("mica/towers_small.npz")
    image_sizes, text_sizes = tower_sizes(file)
    folder = tmp_path / "text"
    folder.mkdir()
    length = file["in/word"].shape[1]
    WordTokenizer.from_sentences(["a dog"], length=length, ends=True).to_file(
        folder / "tokenizer.json"
    )
    text_preset = TowerPreset("clip-text", text_sizes, folder=folder, tokenizer_class=WordTokenizer)
    monkeypatch.setitem(TOWERS, "recorded-image", TowerPreset("dinov2", image_sizes))
    monkeypatch.setitem(TOWERS, "recorded-text", text_preset)
    towers = {"image_tower": "recorded-image", "text_tower": "recorded-text"}
    adapters, _ = split_adapters(file.below("sd/"))
    config = with_overrides(MiCAConfig(), mica_overrides(file, adapters) | towers)
    preset = SystemPreset("as recorded", config, build_mica, released=RELEASED_MICA)
    monkeypatch.setitem(SYSTEMS, "mica-recorded", preset)
    return file


def released_state(file: Recording) -> dict[str, Tensor]:
    """The recorded towers and a random mask head, under the released names."""
    head = build_meta_system("mica-recorded").get_submodule("head").state_dict()
    shapes = {}
    for name, value in head.items():
        for released, ours in HEAD_PREFIXES.items():
            if f"head.{name}".startswith(ours):
                shapes[released + f"head.{name}".removeprefix(ours)] = tuple(value.shape)
    assert len(shapes) == len(head)
    return released_towers(file) | random_state(shapes)


def test_a_file_of_the_released_layout(recorded: Recording, tmp_path: Path) -> None:
    state = released_state(recorded)
    path = write_released(state, tmp_path / "refcoco.pth")
    length = {"max_tokens": recorded["in/word"].shape[1]}
    direct = load_released(
        path, overrides=length, tokenizer=ShapeOnlyTokenizer(length["max_tokens"])
    )
    released = convert_released(path, tmp_path / "run", whole=True, overrides=length)
    assert (released.name, released.data) == ("mica-recorded", "refcoco")
    assert json.loads((tmp_path / "run" / "config.json").read_text())["about"]["released"] == {
        "code": "feng-zitong/MiCA",
        "file": "refcoco.pth",
        "sha256": released.origin.sha256,
        "data": "refcoco",
    }
    path.unlink()
    logits = []
    for system in (direct, load_system(tmp_path / "run")):
        assert isinstance(system, MiCA)
        with torch.no_grad():
            images, texts = system.encode(recorded["in/img"], recorded["in/word"])
            logits.append(system(recorded["in/img"], recorded["in/word"]))
        for number, feature_map in enumerate(images.maps):
            recorded.compare(f"out/eval_vis{number}", feature_map)
        recorded.compare("out/eval_txt", texts.text_tokens)
        head = system.get_submodule("head").state_dict()
        assert head["neck.txt_proj.weight"].equal(state["neck.txt_proj.weight"])
    assert logits[0].equal(logits[1]) and bool(logits[0].isfinite().all())


# every entry of the released files counts, each copy of a GLiA included


@pytest.fixture(scope="module")
def official() -> dict[str, Tensor]:
    """Entries of the released names, of one value each; the copies of a GLiA are separate."""
    return {name: torch.zeros(()).expand(shape) for name, shape in read_shapes(KEYS).items()}


CONTAINER = "dinov2.blocks.5.serial_adapter.adapters."
GATE = f"{CONTAINER}1.adapter.gate"


def test_another_value_of_a_copy_is_told(official: dict[str, Tensor]) -> None:
    assert rename_mica(official)
    changed = official | {GATE: torch.ones(768)}
    with pytest.raises(DataError, match=rf"^{GATE}: is not equal to another copy of the same GLiA"):
        rename_mica(changed)


def test_a_missing_copy_is_told(official: dict[str, Tensor]) -> None:
    for missing in (GATE, GATE.replace("blocks.5.", "visual_")):
        without = {name: value for name, value in official.items() if name != missing}
        with pytest.raises(DataError, match=rf"^{missing} is missing"):
            rename_mica(without)
    without = {name: value for name, value in official.items() if not name.startswith(CONTAINER)}
    with pytest.raises(DataError, match=rf"^{GATE.rpartition('.')[0]}\.\S+ is missing"):
        rename_mica(without)


@pytest.mark.parametrize(
    ("source", "surplus", "message"),
    [
        (f"{CONTAINER}1.adapter.down_proj.bias", f"{CONTAINER}1.adapter.D_fc1.bias", "a second"),
        (
            "dinov2.blocks.3.parallel_v2_adapter.D_fc1.bias",
            "dinov2.blocks.3.parallel_v2_adapter.down_proj.bias",
            "a second entry for image_tower.adapters.3_mlp.adapter.down.bias",
        ),
        (GATE, GATE.replace("blocks.", ""), "not an entry of a released"),
        (GATE, GATE.replace("blocks.5", "blocks.05"), "not an entry of a released"),
        (GATE, GATE.replace("blocks.5.", "blocks.visual_"), "not an entry of a released"),
        (GATE, GATE.replace("blocks.5", "blocks.6"), "this block has no GLiA of its own"),
    ],
)
def test_an_entry_too_many_is_told(
    official: dict[str, Tensor], source: str, surplus: str, message: str
) -> None:
    with pytest.raises(DataError, match=rf"{surplus}: {message}"):
        rename_mica(official | {surplus: official[source]})
