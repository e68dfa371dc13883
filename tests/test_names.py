"""Names: nouns that papers of the field print; one file name, one file.

The words below were once names of variables here, and readers of the field stumbled at them: verbs
of perception, pronouns, and words with several meanings. The right side says what to write.
"""

import ast
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

FORBIDDEN = {
    "apart": "distance",
    "asked": "query",
    "couples": "pairs",
    "dice": "generator",
    "doors": "ablations",
    "drawn": "panels, or what was drawn",
    "eye": "image_tower",
    "fixed_statistics": "norm_eval",
    "found": "predictions, matches",
    "heard": "text_features",
    "known": "vocabulary, names",
    "looked": "fused",
    "loud": "scaled",
    "mask_padding": "key_padding_mask",
    "met": "fused",
    "one": "the noun: expression, sample, block",
    "position_tables": "train_pos_embed",
    "reader": "text_tower",
    "said": "text_out, text_emb",
    "seen": "attn_out, features",
    "some": "subset",
    "spoken": "expressions",
    "stage_ends": "out_indices",
    "taps": "out_indices",
    "there": "the noun",
    "thrown": "sampled",
    "told": "text_out, text_emb",
    "way": "direction, method",
    "word_length": "max_tokens",
    "zoomed": "reduced",
}

#: Where a word is what the field says.
EXCEPTIONS = {
    ("book/etris/bridger.ipynb", "mask_padding"),  # whether, not which
    ("risbook/adapters/bridger.py", "mask_padding"),
    ("risbook/adapters/dense_placements.py", "mask_padding"),
    ("risbook/adapters/mica_options.py", "mask_padding"),
    ("risbook/adapters/mica_placements.py", "mask_padding"),
    ("risbook/data/opencv_warp.py", "taps"),  # of a filter
    ("risbook/ledger/sources.py", "reader"),  # of a CSV file
    ("risbook/refscenes/people.py", "eye"),  # of a person
}

#: Files that are not clean yet. The list only shrinks: a clean file must be taken off.
NOT_CLEAN_YET: set[str] = set()


def bound_names(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Names that the code gives to something, each with its line."""
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, line
        elif isinstance(node, ast.arg):
            yield node.arg, line
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name, line
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr, line
        elif isinstance(node, ast.alias):
            yield (node.asname or node.name).split(".")[0], line
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            yield node.name, line


def code_of(path: Path) -> str:
    """A Python file, or the code cells of a notebook with its magics taken out."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        return text
    cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
    lines = [line for cell in cells for line in "".join(cell["source"]).splitlines()]
    return "\n".join(re.sub(r"^(\s*)[%!].*", r"\1pass", line) for line in lines)


def forbidden_in(code: str, file: str = "") -> list[str]:
    """The forbidden names that code binds, each with a line and what to write."""
    return [
        f"line {line}: {name}, write {FORBIDDEN[name]}"
        for name, line in bound_names(ast.parse(code))
        if name in FORBIDDEN and (file, name) not in EXCEPTIONS
    ]


def files() -> list[Path]:
    """Code of the package, of the tests, of the book's tools and of its chapters."""
    folders = [ROOT / name for name in ("risbook", "tests", "book")]
    paths = [path for folder in folders for path in folder.rglob("*.py")]
    notebooks = (ROOT / "book").rglob("*.ipynb")
    paths += [path for path in notebooks if ".ipynb_checkpoints" not in path.parts]
    return sorted(paths)


@pytest.mark.parametrize("path", files(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_names_are_nouns_of_the_field(path: Path) -> None:
    name = path.relative_to(ROOT).as_posix()
    faults = forbidden_in(code_of(path), name)
    if name in NOT_CLEAN_YET:
        assert faults, f"{name} is clean: take it off NOT_CLEAN_YET"
    else:
        assert not faults, "\n".join(faults)


def test_files_that_are_not_clean_exist() -> None:
    assert {path.relative_to(ROOT).as_posix() for path in files()} >= NOT_CLEAN_YET


def test_no_file_name_occurs_twice() -> None:
    names = Counter(path.name for path in (ROOT / "risbook").rglob("*.py"))
    twice = {name for name, count in names.items() if count > 1}
    assert twice <= {"__init__.py"}


@pytest.mark.parametrize(
    "code",
    [
        "one = 1",
        "for one in range(3): pass",
        "[one for one in range(3)]",
        "def look(one): pass",
        "self.taps = 3",
        "lambda told: 1",
        "import numpy as met",
        "def said(): pass",
        "while (seen := 1): pass",
        "try: pass\nexcept ValueError as found: pass",
    ],
)
def test_a_forbidden_name_is_an_error(code: str) -> None:
    assert len(forbidden_in(code)) == 1


def test_text_and_keywords_of_others_may_say_it() -> None:
    assert not forbidden_in("print('one of them said')\nother.one\nf(one=1)")
