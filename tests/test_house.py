"""The house: rooms in the order of the story, imports going one way, and a light front door."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "risbook"

#: from the ground floor up: a room imports from rooms before it, never from rooms after it
ORDER = [
    "errors",
    "attribute_hints",
    "synonyms",
    "registry",
    "intermediates",
    "keyword_aliases",
    "files",
    "config_messages",
    "config",
    "metrics",
    "progress_bar",
    "refscenes",
    "data",
    "layers",
    "tokenizers",
    "towers",
    "adapters",
    "decoder",
    "systems",
    "evaluation",
    "probing",
    "ledger",
    "training",
    "studies",
    "benchmarks",
    "pretraining",
    "figures",
    "teaching",
    "cli",
]


def imports_of(path: Path) -> set[str]:
    """Rooms of risbook that a file names in its import statements."""
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
            if node.module == "risbook":
                names = [f"risbook.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        rooms |= {name.split(".")[1] for name in names if name.startswith("risbook.")}
    return rooms


def room_of(path: Path) -> str:
    """The room that a file stands in."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


FILES = [
    path for path in sorted(PACKAGE.rglob("*.py")) if room_of(path) not in ("__init__", "__main__")
]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_one_way(path: Path) -> None:
    room = room_of(path)
    assert room in ORDER, f"{room} is a new room: put it into ORDER where its story is told"
    upstairs = {
        other
        for other in imports_of(path)
        if other in ORDER and ORDER.index(other) > ORDER.index(room)
    }
    assert not upstairs, f"{path.name} is in {room} and imports from {sorted(upstairs)}"


def test_metrics_stand_alone() -> None:
    assert imports_of(PACKAGE / "metrics.py") <= {"attribute_hints", "errors"}


@pytest.mark.parametrize(
    ("module", "forbidden"),
    [
        ("risbook", ("torch", "transformers", "timm", "matplotlib")),
        ("risbook.data", ("transformers", "timm", "matplotlib")),
        ("risbook.systems", ("transformers", "timm", "matplotlib")),
        ("risbook.cli", ("torch", "transformers", "timm", "matplotlib")),
    ],
)
def test_importing_is_light(module: str, forbidden: tuple[str, ...]) -> None:
    code = f"import sys, {module}; print(*[m for m in {forbidden!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_readme_lists_the_rooms_in_this_order() -> None:
    text = (PACKAGE.parent / "README.md").read_text(encoding="utf-8")
    rooms = re.findall(r"^\| `risbook/(\w+)(?:\.py)?` \|", text, flags=re.MULTILINE)
    folders = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()}
    assert rooms == [room for room in ORDER if room in rooms]
    assert folders <= set(rooms)
