"""One kind of progress bar, shown where somebody can see it move."""

import os
import sys
from collections.abc import Iterable
from typing import Any

from tqdm import tqdm


def bar_is_visible() -> bool:
    """Whether somebody can see a bar move: in a terminal, and in a notebook with a live kernel."""
    is_disabled = os.environ.get("TQDM_DISABLE", "") not in ("", "0")
    return not is_disabled and (sys.stderr.isatty() or "ipykernel" in sys.modules)


def progress_bar(
    items: Iterable[Any] | None = None, *, show: bool = True, **settings: Any
) -> "tqdm[Any]":
    """A tqdm bar that stays silent in log files.

    Where standard error goes into a file or a pipe, a bar would only fill that with half-drawn
    lines, see `bar_is_visible`.

    Args:
        items: what to iterate over, if the bar shall do that.
        show: False for no bar at all.
        settings: `total`, `desc`, `unit` and the like, handed on to tqdm.

    Returns:
        The bar.
    """
    return tqdm(items, disable=not (show and bar_is_visible()), **settings)
