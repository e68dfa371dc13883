"""``risbook towers``: one table that fits a terminal, or JSON."""

import json

import pytest

from risbook.cli import main
from risbook.towers.presets import TOWERS


def test_the_whole_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["towers"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["tower", *TOWERS]
    assert max(len(line) for line in lines) <= 100
    assert "40.4 M" in lines[1] and "512x28x28 1024x14x14 1024x7x7" in lines[1]


def test_one_tower(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["towers", "clip-vitb16-text"]) == 0
    out = capsys.readouterr().out
    assert "77 ids" in out and "77x512 512" in out
    assert "timm/vit_base_patch16_clip_224.openai@977e3dd0/open_clip_model.safetensors" in out


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["towers", "dinov2-mini", "--json"]) == 0
    (tower,) = json.loads(capsys.readouterr().out)
    assert tower["default_input"] == [3, 96, 96] and tower["parameters"] > 2_000_000
    assert tower["features"]["map 3"] == [128, 12, 12]


def test_a_wrong_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["towers", "clip"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("risbook towers: no tower is called 'clip'; there are:")
    assert error.count("\n") == 1
