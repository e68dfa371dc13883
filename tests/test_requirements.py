"""The lower bounds stand in three files, and all three say the same."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BOUND = re.compile(r"([\w-]+)(>=|==)([\w.]+)")


def bounds_of(lines: list[str], relation: str) -> dict[str, str]:
    matches = [match for line in lines if (match := BOUND.match(line))]
    assert {match[2] for match in matches} == {relation}
    return {match[1]: match[3] for match in matches}


def test_oldest_set_holds_exactly_the_lower_bounds() -> None:
    required = bounds_of((ROOT / "requirements.txt").read_text().splitlines(), ">=")
    oldest = bounds_of((ROOT / "constraints-oldest.txt").read_text().splitlines(), "==")
    assert oldest == required


def test_the_package_asks_for_the_same_bounds() -> None:
    required = bounds_of((ROOT / "requirements.txt").read_text().splitlines(), ">=")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    package = bounds_of(project["dependencies"], ">=")
    assert package.items() <= required.items()
