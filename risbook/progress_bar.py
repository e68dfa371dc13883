"""One kind of progress bar, shown where somebody can see it move."""

import os
import sys
from collections.abc import Iterable
from typing import Any

from tqdm import tqdm


def progress_bar(
    items: Iterable[Any] | None = None, *, show: bool = True, **settings: Any
) -> "tqdm[Any]":
    """A tqdm bar that stays silent in log files.

    It moves in a terminal and in a notebook with a live kernel. Where standard error goes into a
    file or a pipe, it would only fill that with half-drawn lines.

    Args:
        items: what to iterate over, if the bar shall do that.
        show: False for no bar at all.
        settings: `total`, `desc`, `unit` and the like, handed on to tqdm.

    Returns:
        The bar.
    """
    visible = sys.stderr.isatty() or "ipykernel" in sys.modules
    wanted = show and visible and os.environ.get("TQDM_DISABLE", "") in ("", "0")
    return tqdm(items, disable=not wanted, **settings)
