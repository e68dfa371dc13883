"""Checkpoints of the released ETRIS: equal to the recorded models, whole, and refused by name."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from parity import Recording
from recorded_sizes import etris_overrides, etris_tower_sizes
from released_files import official_state, write_released
from safetensors.torch import load_file
from torch import Tensor

from risbook.errors import DataError, RisbookError
from risbook.systems import (
    build_meta_system,
    build_system,
    convert_released,
    load_released,
    load_system,
)
from risbook.systems.etris import ETRIS
from risbook.tokenizers import CLIPTokenizer
from risbook.tokenizers.interface import ShapeOnlyTokenizer
from risbook.towers.presets import TOWERS, TowerPreset


def recorded_overrides(file: Recording, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The configuration of a recorded small ETRIS, whose towers become presets for the test."""
    image_sizes, text_sizes = etris_tower_sizes(file)
    family = "clip-resnet" if "layers" in image_sizes else "clip-vit"
    monkeypatch.setitem(TOWERS, "recorded-image", TowerPreset(family, image_sizes))
    monkeypatch.setitem(
        TOWERS, "recorded-text", TowerPreset("clip-text", text_sizes, tokenizer_class=CLIPTokenizer)
    )
    towers = {"image_tower": "recorded-image", "text_tower": "recorded-text"}
    return etris_overrides(file) | towers


@pytest.mark.parametrize("kit", ["etris/full_small_rn.npz", "etris/full_small_vit.npz"])
@pytest.mark.parametrize("plain", [False, True])
def test_parity_of_a_released_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kit: str, plain: bool
) -> None:
    file = Recording(kit)
    path = tmp_path / "best_model.pth"
    if plain:
        torch.save(file.below("w."), path)
    else:
        write_released(file.below("w."), path)
    overrides = recorded_overrides(file, monkeypatch)
    tokenizer = ShapeOnlyTokenizer(overrides["max_tokens"])
    system = load_released(path, "etris-rn50", overrides=overrides, tokenizer=tokenizer)
    assert not system.training
    with torch.no_grad():
        logits = system(file["in.img"], file["in.word"])
    file.compare("out.eval.logits", logits)


def shapes_of(name: str, overrides: dict[str, Any] | None = None) -> dict[str, Tensor]:
    """Official names and shapes of a whole system, with no more memory than one number each."""
    system = build_meta_system(name, overrides)
    assert isinstance(system, ETRIS)
    shapes = official_state(system)
    return {entry: torch.zeros(()).expand(value.shape) for entry, value in shapes.items()}


def stand_in_file(path: Path, state: dict[str, Tensor], patch: pytest.MonkeyPatch) -> Path:
    """A file of shapes alone: what is read from it is `state`, since 600 MB need not be written."""
    path.touch()
    entries = {f"module.{name}": value for name, value in state.items()}
    patch.setattr("risbook.systems.released_checkpoints.read_weights", lambda path: entries)
    return path


@pytest.fixture(scope="module")
def mini() -> ETRIS:
    torch.manual_seed(1)
    system = build_system("etris-mini-rn", sentences=[], overrides={"weights": "random"})
    assert isinstance(system, ETRIS)
    return system.eval()


@pytest.mark.parametrize("name", ["rn50", "rn101", "vitb16"])
def test_parity_of_the_names_and_shapes_in_these_files(name: str) -> None:
    """What the other tests write is what the released training writes."""
    file = Recording(f"etris/fullsize_{name}.npz")
    recorded = zip(file["manifest.names"], file["manifest.shapes"], strict=True)
    made = {
        entry: "x".join(str(side) for side in value.shape) or "scalar"
        for entry, value in shapes_of(f"etris-{name}").items()
    }
    assert made == {str(entry): str(shape) for entry, shape in recorded}


def test_a_converted_checkpoint_is_whole_and_tells_its_file(mini: ETRIS, tmp_path: Path) -> None:
    path = write_released(official_state(mini), tmp_path / "refcoco.pth")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    system = load_released(path, "etris-mini-rn")
    record = {
        "kind": "published",
        "source": "refcoco.pth",
        "sha256": digest,
        "random_parts": [],
        "inside": True,
    }
    assert system.weights_origins() == {"image_tower": record, "text_tower": record}
    released = convert_released(path, tmp_path / "run", "etris-mini-rn", whole=True)
    assert str(released.origin) == f"published weights: refcoco.pth (sha256 {digest[:8]})"
    about = json.loads((tmp_path / "run" / "config.json").read_text())
    assert about["towers"] == system.weights_origins()
    path.unlink()
    again = load_system(tmp_path / "run")
    assert again.weights_origins() == system.weights_origins()
    assert set(again.saved_state()) == set(again.state_dict())
    state = mini.state_dict()
    assert set(again.state_dict()) == set(state)
    assert all(torch.equal(value, state[name]) for name, value in again.state_dict().items())
    images = torch.randn(1, 3, 192, 192, generator=torch.Generator().manual_seed(0))
    tokens = mini.tokenizer(["the red mug"])
    with torch.no_grad():
        expected = mini(images, tokens)
        assert torch.equal(system(images, tokens), expected)
        assert torch.equal(again(images, tokens), expected)


def test_a_folder_that_holds_something_is_left_alone(mini: ETRIS, tmp_path: Path) -> None:
    path = write_released(official_state(mini), tmp_path / "refcoco.pth")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "training.json").write_text("{}")
    with pytest.raises(RisbookError, match="already holds a checkpoint or a run; name another"):
        convert_released(path, tmp_path / "run", "etris-mini-rn")


def test_what_is_trained_is_written_alone(mini: ETRIS, tmp_path: Path) -> None:
    """Statistics of batch norms and the branch `connect`, which no file of CLIP has, included."""
    state = official_state(mini)
    path = write_released(state, tmp_path / "refcoco.pth")
    towers = {k.removeprefix("backbone."): v for k, v in state.items() if "backbone" in k}
    towers = {k: v for k, v in towers.items() if ".connect." not in k}
    towers["visual.bn1.running_mean"] = towers["visual.bn1.running_mean"] + 1  # before the training
    image_folder, text_folder = (
        tmp_path / "weights" / name for name in ("clip-mini-rn", "clip-mini")
    )
    for folder in (image_folder, text_folder):
        folder.mkdir(parents=True)
        torch.save(towers, folder / "clip.pt")
    mini.tokenizer.to_file(text_folder / "tokenizer.json")
    convert_released(path, tmp_path / "run", "etris-mini-rn")
    saved = load_file(tmp_path / "run" / "model.safetensors")
    left_out = set(mini.state_dict()) - set(saved)
    tuned = {name for name, value in mini.named_parameters() if value.requires_grad}
    buffers = {name for name, _ in mini.named_buffers()}
    assert left_out and all(name.startswith(("image_tower.", "text_tower.")) for name in left_out)
    assert not left_out & (tuned | buffers) and not any(".connect." in name for name in left_out)
    again = load_system(tmp_path / "run", weights=str(tmp_path / "weights")).state_dict()
    assert all(torch.equal(value, mini.state_dict()[name]) for name, value in again.items())
    towers["visual.conv1.weight"] = towers["visual.conv1.weight"] + 1
    torch.save(towers, image_folder / "clip.pt")
    with pytest.raises(DataError, match=r"frozen weights of its image_tower are not .* --whole"):
        load_system(tmp_path / "run", weights=str(tmp_path / "weights"))


def test_the_length_of_sentences_is_what_was_said(mini: ETRIS, tmp_path: Path) -> None:
    path = write_released(official_state(mini), tmp_path / "refcoco.pth")
    overrides = {"max_tokens": 22}
    assert load_released(path, "etris-mini-rn", overrides=overrides).tokenizer.length == 22
    convert_released(path, tmp_path / "run", "etris-mini-rn", overrides=overrides, whole=True)
    assert load_system(tmp_path / "run").config_values()["max_tokens"] == 22


@pytest.mark.parametrize(
    ("held", "named"),
    [
        ("etris-rn101", "etris-rn50"),
        ("etris-rn50", "etris-rn101"),
        ("etris-rn50", "etris-vitb16"),
        ("etris-vitb16", "etris-rn50"),
        ("etris-vitb16", "etris-mini"),
    ],
)
def test_another_backbone_is_told(
    held: str, named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = stand_in_file(tmp_path / "refcoco.pth", shapes_of(held), monkeypatch)
    with pytest.raises(
        DataError, match=rf"is a checkpoint of {held}, not of {named}; name that, or none$"
    ):
        load_released(path, named)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"bridger.dim": 32}, r"does not fit etris-rn50: bridger\.\S+ is \(32, 51"),
        ({"stages": (3,)}, r"does not fit etris-rn50: bridgers\.stages\.1\.\S+ is missing"),
        (
            {"head.num_layers": 4},
            r"does not fit etris-rn50: decoder\.layers\.3\.\S+ is not a weight of this",
        ),
    ],
)
def test_other_sizes_are_told(
    overrides: dict[str, Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = shapes_of("etris-rn50", overrides)
    path = stand_in_file(tmp_path / "refcoco.pth", state, monkeypatch)
    with pytest.raises(DataError, match=message) as caught:
        load_released(path, "etris-rn50")
    assert "\n" not in str(caught.value) and str(caught.value).startswith(str(path))


def test_position_embeddings_of_another_image_size_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = shapes_of("etris-vitb16", {"image_size": 224})
    path = stand_in_file(tmp_path / "refcoco.pth", state, monkeypatch)
    message = r"vit\.pos_embed is \(1, 197, 768\), not \(1, 677, 768\)"
    with pytest.raises(DataError, match=message):
        load_released(path, "etris-vitb16")


def test_what_is_no_such_file(mini: ETRIS, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no such file"):
        load_released(tmp_path / "refcoco.pth", "etris-rn50")
    path = tmp_path / "refcoco.pth"
    path.write_text("not weights, but text\n" * 20)
    with pytest.raises(DataError, match="not a file of weights that can be read"):
        load_released(path, "etris-rn50")
    torch.save({"state_dict": {"module.backbone.visual.proj": print}}, path)
    with pytest.raises(DataError, match="not a file of weights that can be read"):
        load_released(path, "etris-rn50")
    write_released(dict(mini.state_dict()), path)
    with pytest.raises(DataError, match=r"not a checkpoint of kkakkkka/ETRIS \(logit_scale"):
        load_released(path, "etris-rn50")


def test_what_is_no_such_preset(tmp_path: Path) -> None:
    path = tmp_path / "refcoco.pth"
    with pytest.raises(RisbookError, match="no system is called 'etris'"):
        load_released(path, "etris")
    with pytest.raises(RisbookError, match="no released files are read as first-model; they"):
        load_released(path, "first-model")
    with pytest.raises(RisbookError, match="no 'words'"):
        load_released(path, "etris-rn50", overrides={"words": 22})


def test_without_the_tokenizer_there_are_three_ways_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RISBOOK_WEIGHTS", raising=False)
    monkeypatch.setattr("risbook.towers.weights.lookup.cached", lambda hub: None)
    monkeypatch.setattr("risbook.towers.weights.lookup.hub_in_reach", lambda: False)
    path = stand_in_file(tmp_path / "refcoco.pth", shapes_of("etris-rn50"), monkeypatch)
    with pytest.raises(RisbookError) as caught:
        load_released(path, "etris-rn50")
    for remedy in (
        "network once",
        "RISBOOK_WEIGHTS to a folder that holds clip-rn50/tok",
        "pass one",
    ):
        assert remedy in str(caught.value)
    assert "\n" not in str(caught.value)
