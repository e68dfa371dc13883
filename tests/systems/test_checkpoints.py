"""Checkpoints: written whole, read without running anything, refused by name."""

import copy
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from risbook.errors import DataError
from risbook.files import read_json
from risbook.systems import System, build_system, list_shipped, load_system, save_system
from risbook.systems.checkpoints import SHIPPED_SYSTEMS
from risbook.systems.measured_results import weights_digest

# Eight channels at least: see tests/cli/test_cli.py.
SMALL = {"image_size": 32, "widths": (8, 8, 8, 8), "blocks": 1, "decoder_width": 8}


@pytest.fixture
def system() -> System:
    torch.manual_seed(1)
    return build_system("first-model", sentences=["left dog", "red mug"], overrides=SMALL).eval()


def answer(system: System) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(1, 3, 32, 32, generator=generator)
    with torch.inference_mode():
        result: torch.Tensor = system(image, system.tokenizer(["left mug"]))
    return result


def test_round_trip_is_exact(system: System, tmp_path: Path) -> None:
    save_system(system, tmp_path / "deep" / "folder")
    again = load_system(tmp_path / "deep" / "folder")
    assert not again.training
    assert again.config_values() == system.config_values()
    assert answer(again).equal(answer(system))
    assert sorted(p.name for p in (tmp_path / "deep" / "folder").iterdir()) == [
        "README.md",
        "config.json",
        "model.safetensors",
        "tokenizer.json",
    ]


def test_half_precision_files_load_in_float32(system: System, tmp_path: Path) -> None:
    save_system(system, tmp_path, dtype=torch.float16)
    again = load_system(tmp_path)
    assert {p.dtype for p in again.parameters()} == {torch.float32}
    torch.testing.assert_close(answer(again), answer(system), atol=2e-2, rtol=1e-2)


def test_values_that_half_precision_cannot_hold_are_refused(system: System, tmp_path: Path) -> None:
    save_system(system, tmp_path)
    large = copy.deepcopy(system)
    name, parameter = next(iter(large.named_parameters()))
    torch.nn.init.constant_(parameter, 1e6)
    with pytest.raises(DataError, match=f"{name} holds values that are not finite in torch.float1"):
        save_system(large, tmp_path, dtype=torch.float16)
    assert torch.equal(answer(load_system(tmp_path)), answer(system))


def test_a_folder_without_a_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"config\.json is missing"):
        load_system(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not valid JSON"),
        ("[]", "not a checkpoint of format"),
        ("[" * 100_000, "is not valid JSON"),
        ('{"format": 1, "system": []}', "unknown system"),
        ('{"format": 1, "system": "first-model"}', r"config\.json"),
        ('{"format": 1, "system": "first-model", "config": {}, "towers": null}', "towers has to"),
        ('{"format": 1, "system": "first-model", "config": {}, "towers": [1]}', "towers has to"),
        (
            '{"format": 1, "system": "etris-mini", "config": {}, "towers": {"text_tower": 5}}',
            "towers has to give the source",
        ),
        (
            '{"format": 1, "system": "etris-mini", "config": {}, "towers": {"x": {"sha256": 1}}}',
            "towers has to give the source",
        ),
        (
            '{"format": 1, "system": "first-model", "config": {"blocks": 99999999999}}',
            "blocks is 99999999999",
        ),
        ('{"format": 1, "system": "x", "config": {}}', "unknown system 'x'"),
        ('{"format": 1, "system": "first-model", "config": {"colour": 1}}', "colour"),
        ('{"format": 1, "system": "first-model", "config": []}', r"config\.json"),
        (
            '{"format": 1, "system": "first-model", "config": {"widths": [1]}}',
            "map_dims is .*4 whole numbers",
        ),
    ],
)
def test_bad_configurations(system: System, tmp_path: Path, content: str, message: str) -> None:
    save_system(system, tmp_path)
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(DataError, match=message):
        load_system(tmp_path)


def test_weights_that_do_not_fit_are_named(system: System, tmp_path: Path) -> None:
    save_system(system, tmp_path)
    path = tmp_path / "model.safetensors"
    state = load_file(path)
    save_file({k: v for k, v in state.items() if k != "decoder.mask_conv.bias"}, path)
    with pytest.raises(DataError, match=r"decoder\.mask_conv\.bias"):
        load_system(tmp_path)
    save_file({**state, "decoder.mask_conv.bias": torch.zeros(2)}, path)
    with pytest.raises(DataError, match=r"decoder\.mask_conv\.bias is \(2,\), not \(1,\)"):
        load_system(tmp_path)
    path.write_bytes(b"not weights")
    with pytest.raises(DataError, match="not a file of weights that can be read"):
        load_system(tmp_path)
    path.unlink()
    with pytest.raises(DataError, match="weights are missing"):
        load_system(tmp_path)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (torch.tensor([float("nan")]), "holds values that are not finite"),
        (torch.tensor([float("inf")]), "holds values that are not finite"),
        (torch.tensor([1]), "is of type int64; a weight has to be a float"),
        (torch.tensor([1j]), "is of type complex64"),
    ],
)
def test_weights_that_are_no_finite_floats_are_named(
    value: torch.Tensor, message: str, system: System, tmp_path: Path
) -> None:
    save_system(system, tmp_path)
    path = tmp_path / "model.safetensors"
    save_file({**load_file(path), "decoder.mask_conv.bias": value}, path)
    with pytest.raises(DataError, match=rf"model\.safetensors: decoder\.mask_conv\.bias {message}"):
        load_system(tmp_path)


def test_there_is_a_shipped_checkpoint() -> None:
    assert "first-model" in list_shipped()


def test_a_folder_goes_before_a_shipped_name(
    system: System, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    save_system(system, Path("first-model"))
    assert load_system("first-model").config_values() == system.config_values()


@pytest.mark.parametrize("name", list_shipped())
def test_shipped_checkpoints_load(name: str) -> None:
    system = load_system(name)
    folder = Path(__import__("risbook").__file__).parent / "checkpoints" / name
    assert system.name == json.loads((folder / "config.json").read_text())["system"]
    assert (folder / "model.safetensors").stat().st_size < 6_000_000


@pytest.mark.parametrize("name", list_shipped())
def test_shipped_scores_are_those_of_the_shipped_weights(name: str) -> None:
    scores = read_json(SHIPPED_SYSTEMS / name / "scores.json")
    assert scores["weights_sha256"] == weights_digest(load_system(name)), (
        f"evaluate {name} again: a renamed or changed parameter changes the digest"
    )
