"""The code of the page on training does what the page says, and prints what stands below it."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[1] / "book" / "training_basics.md"


def test_the_blocks_print_what_stands_below_them(capsys: pytest.CaptureFixture[str]) -> None:
    text = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```(?:\n\n```\n(.*?)```)?", text, re.DOTALL)
    assert len(blocks) == 4
    names: dict[str, object] = {}
    for code, expected in blocks:
        exec(compile(code, str(PAGE), "exec"), names)
        assert capsys.readouterr().out == (expected or "True\n")
