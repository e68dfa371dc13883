"""The progress bar: visible where somebody looks, silent in files."""

import sys

import pytest

from risbook.progress_bar import progress_bar


@pytest.mark.parametrize(
    ("terminal", "show", "setting", "visible"),
    [
        (True, True, "", True),
        (True, False, "", False),
        (True, True, "1", False),
        (False, True, "", False),
    ],
)
def test_when_it_is_seen(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, show: bool, setting: str, visible: bool
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    monkeypatch.setenv("TQDM_DISABLE", setting)
    bar = progress_bar(range(3), show=show)
    assert bar.disable is not visible
    assert list(bar) == [0, 1, 2]
