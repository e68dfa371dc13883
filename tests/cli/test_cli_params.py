"""``risbook params``: exact counts, in a table that fits a terminal, or JSON."""

import json

import pytest

from risbook.cli import main
from risbook.systems.system_presets import SYSTEMS


def test_one_system(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["params", "etris-rn101"]) == 0
    out = capsys.readouterr().out
    assert max(len(line) for line in out.splitlines()) <= 100
    for figure in ("146,923,938", "1,942,080", "3.39 %", "1.61 %", "11,556,352", "4,788,737"):
        assert figure in out


def test_all_systems_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["params", "--json"]) == 0
    reports = json.loads(capsys.readouterr().out)
    assert [report["system"] for report in reports] == list(SYSTEMS)
    for report in reports:
        share = report["share_of_towers"]
        from_scratch = report["system"] == "first-model"
        assert (share is None) == (report["backbone_tuned"] == 0) == from_scratch
        assert share is None or 0 < share < report["share_of_image_tower"]
        assert report["tuned"] + report["frozen"] == report["total"]
        assert sum(part["tuned"] for part in report["parts"]) == report["tuned"]


def test_a_wrong_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["params", "etris"]) == 2
    message = "no system is called 'etris'; did you mean 'etris-mini'? there are: first-model"
    assert message in capsys.readouterr().err
