"""Training curves, read from the small log that a training run streams to disk."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from risbook.errors import DataError
from risbook.figures.palette import CYCLE, ROLES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Records = Iterable[Mapping[str, Any]]
_COLOURS = [ROLES["miou"], *(colour for colour in CYCLE if colour != ROLES["miou"])]


def smooth(values: NDArray[np.float64], weight: float = 0.9) -> NDArray[np.float64]:
    """Take the exponential moving average, corrected for its start at zero.

    Args:
        values: (N,), one number per step.
        weight: share of the past that each step keeps, in [0, 1).

    >>> smooth(np.array([2.0, 2.0, 2.0])).tolist()
    [2.0, 2.0, 2.0]
    """
    average, result = 0.0, np.empty(len(values))
    for step, value in enumerate(values):
        average = weight * average + (1 - weight) * float(value)
        # Same correction as Adam's (Kingma and Ba, 2015, section 3).
        result[step] = average / (1 - weight ** (step + 1))
    return np.round(result, 12)


def plot_log(log: str | Path | Records, *, title: str | None = None) -> "Figure":
    """Draw the loss of one run, raw and smoothed, and the mIoU of its evaluations.

    Returns the figure.

    Args:
        log: path of a run's log, or its rows: those with ``step`` and ``loss``, and those with
            ``step`` and ``mIoU`` (and ``set`` and ``split``, one line per pair).
        title: above both panels.

    Raises:
        DataError: the log holds no loss at all.
    """
    import matplotlib.pyplot as plt

    # Imported here because risbook.training loads torch, which a figure may not need.
    from risbook.training.run_log import read_log

    records = read_log(Path(log)) if isinstance(log, str | Path) else list(log)
    losses = _series(records, "loss")
    scores = _scores(records)
    if not len(losses):
        raise DataError("plot_log: the log holds no record with both `step` and `loss`.")
    panels = 2 if len(scores) else 1
    figure, axes = plt.subplots(
        1, panels, figsize=(4.4 * panels, 3.0), squeeze=False, layout="constrained"
    )
    left = axes[0, 0]
    left.plot(losses[:, 0], losses[:, 1], color=ROLES["loss"], alpha=0.3, lw=0.9, label="each step")
    left.plot(losses[:, 0], smooth(losses[:, 1]), color=ROLES["loss"], label="smoothed")
    left.set(xlabel="step", ylabel="training loss", ylim=(0, None))
    left.grid(axis="y")
    left.legend()
    if panels == 2:
        _draw_scores(axes[0, 1], scores)
    if title:
        figure.suptitle(title)
    return figure


def _draw_scores(ax: "Axes", scores: dict[str, NDArray[np.float64]]) -> None:
    # Logs hold a fraction or a percentage; the axis says which by its end.
    top = 1 if all(points[:, 1].max() <= 1 for points in scores.values()) else 100
    for (name, points), colour in zip(scores.items(), _COLOURS * len(scores), strict=False):
        best = points[np.argmax(points[:, 1])]
        summary = f"best {best[1]:.{2 if top == 1 else 1}f}"
        label = f"{name}, {summary}" if name else summary
        ax.plot(points[:, 0], points[:, 1], color=colour, marker="o", ms=4, label=label)
    ax.set(xlabel="step", ylabel="validation mIoU", ylim=(0, top))
    ax.grid(axis="y")
    ax.legend()


def _scores(records: list[Any]) -> dict[str, NDArray[np.float64]]:
    """Rows of evaluations by set and split, in the order in which they first come."""
    rows = [record for record in records if record.get("mIoU") is not None]
    names = dict.fromkeys(_name(row) for row in rows)
    return {name: _series([row for row in rows if _name(row) == name], "mIoU") for name in names}


def _name(row: Mapping[str, Any]) -> str:
    return " ".join(str(row[key]) for key in ("set", "split") if row.get(key))


def _series(records: list[Any], name: str) -> NDArray[np.float64]:
    """(N, 2): step and value of every row that has both."""
    points = [
        (float(record["step"]), float(record[name]))
        for record in records
        if record.get(name) is not None and record.get("step") is not None
    ]
    return np.array(points, dtype=np.float64).reshape(-1, 2)
