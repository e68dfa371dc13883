"""From a model and a data set to the metrics, in one call."""

from pathlib import Path

from risbook.data.catalog import open_data
from risbook.data.dataset import ReferData
from risbook.data.referring_dataset import ReferringDataset
from risbook.errors import DataError
from risbook.evaluation.evaluate import evaluate
from risbook.systems.checkpoints import load_system
from risbook.systems.postprocess import THRESHOLD
from risbook.systems.system import System


class Metrics(dict[str, float]):
    """Metrics by the names that papers print; small and capital letters are the same.

    >>> Metrics({"mIoU": 0.5})["miou"]
    0.5
    """

    def __missing__(self, name: str) -> float:
        for key, value in self.items():
            if key.lower() == str(name).lower():
                return value
        raise KeyError(f"{name!r}; there are {', '.join(self)}")


def evaluate_model(
    model: System | str | Path,
    data: str | Path | ReferData | ReferringDataset,
    split: str | None = None,
    *,
    batch_size: int = 32,
    limit: int = 0,
    threshold: float = THRESHOLD,
    show_progress: bool = True,
) -> Metrics:
    """Score a model on a split, at the images' own resolution.

    Args:
        model: a model of `risbook.load`, or a name or folder that it takes.
        data: what `risbook.data.load` returned, or a name or folder that it takes.
        split: a split of the data; None for that of the dataset, or "val".
        batch_size: expressions per forward pass.
        limit: score only so many expressions, taken evenly from the split; 0 for all.
        threshold: probability strictly above which a pixel belongs to the mask.
        show_progress: show a progress bar.

    Returns:
        "count", "mIoU", "oIoU" and "Pr@0.5" to "Pr@0.9", the metrics from 0 to 1.

    Raises:
        DataError: if `model` is not a model, or there is no such data or split.
    """
    if isinstance(model, str | Path):
        model = load_system(model)
    if not isinstance(model, System):
        raise DataError(
            f"evaluate takes a model, for instance risbook.load('etris-mini'), not {model!r:.60}; "
            "a baseline that reads no sentence is scored by risbook.evaluation.score_baseline"
        )
    if isinstance(data, ReferringDataset):
        split, data = split or data.split, data.data
    elif not isinstance(data, ReferData):
        data = open_data(data)
    scores = evaluate(
        model,
        data,
        split or "val",
        batch_size=batch_size,
        limit=limit,
        threshold=threshold,
        show_progress=show_progress,
    )
    return Metrics(scores.summary().as_dict())
