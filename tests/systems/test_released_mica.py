"""Checkpoints of the released MiCA: recognised, converted, loaded, and refused by name."""

import json
from pathlib import Path

import pytest
import torch
from parity import read_shapes
from released_files import random_state, write_released
from torch import Tensor

from risbook.errors import DataError
from risbook.systems import (
    MiCA,
    build_meta_system,
    convert_released,
    load_released,
    load_system,
)
from risbook.systems.mica.rename_mica import rename_mica

KEYS = "mica/state_dict_keys_refcoco_base.tsv"


@pytest.fixture(scope="module")
def official() -> dict[str, Tensor]:
    """Entries of the released names, of one value each; the copies of a GLiA are separate."""
    return {name: torch.zeros(()).expand(shape) for name, shape in read_shapes(KEYS).items()}


def small_state(official: dict[str, Tensor]) -> dict[str, Tensor]:
    """Random weights of the released layout in the sizes of mica-mini, which has the same blocks.

    The copies of a GLiA are one tensor, as in the released training.
    """
    system = build_meta_system("mica-mini")
    assert isinstance(system, MiCA)
    ours = {id(value): name for name, value in rename_mica(official).items()}
    small = {name: tuple(value.shape) for name, value in system.state_dict().items()}
    text_dim, image_dim = system.text_tower.embed_dim, small["mask_token"][1]
    joined = {"in_proj_weight": (3 * text_dim, text_dim), "in_proj_bias": (3 * text_dim,)}
    shapes: dict[str, tuple[int, ...]] = {}
    for name, value in official.items():
        leaf = name.rpartition(".")[2]
        if id(value) in ours:
            shapes |= {name: small[ours[id(value)]]} if ours[id(value)] in small else {}
        elif leaf in joined:  # the three weights of CLIP's attention
            shapes[name] = joined[leaf]
    shapes["dinov2.cls_token"] = (1, 1, image_dim)
    num_patches = system.image_tower.pos_grid**2
    shapes["dinov2.pos_embed"] = (1, 1 + num_patches, image_dim)
    state = random_state(shapes)
    for name in official:
        _, _, entry = name.partition("serial_adapter.")
        if entry and name not in state:
            source = next(other for other in state if other.endswith(entry) and other[0] == name[0])
            state[name] = state[source]
    return state


def test_a_file_of_the_released_layout(official: dict[str, Tensor], tmp_path: Path) -> None:
    state = small_state(official)
    path = write_released(state, tmp_path / "refcoco.pth")
    direct = load_released(path)
    released = convert_released(path, tmp_path / "run", whole=True)
    assert (released.name, released.data, released.config.max_tokens) == (
        "mica-mini",
        "refcoco",
        17,
    )
    assert json.loads((tmp_path / "run" / "config.json").read_text())["about"]["released"] == {
        "code": "feng-zitong/MiCA",
        "file": "refcoco.pth",
        "sha256": released.origin.sha256,
        "data": "refcoco",
    }
    path.unlink()
    gate = "txt_backbone.transformer.resblocks.5.serial_adapter.adapters.9.adapter.gate"
    logits = []
    for system in (direct, load_system(tmp_path / "run")):
        assert isinstance(system, MiCA)
        with torch.no_grad():
            logits.append(system(torch.ones(1, 3, 96, 96), ["the left dog"]))
        weights = system.state_dict()
        assert weights["text_tower.adapters.9_attention.adapter.gate.weight"].equal(state[gate])
        assert weights["head.neck.txt_proj.weight"].equal(state["neck.txt_proj.weight"])
    assert logits[0].equal(logits[1]) and bool(logits[0].isfinite().all())


# every entry of the released files counts, each copy of a GLiA included


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
