"""What probes find after every block of an image tower, so that taps are chosen and not guessed.

A system takes maps of an image tower after some of its blocks, its `out_indices`. Which of them
tell most about a task can be measured: probes learn, from the patches of drawn scenes, which kind
of thing lies under a patch, and are tested on other scenes. Background is left out, because four of
five patches are background and every tower tells it apart.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from risbook.errors import ArgumentError
from risbook.files import read_json
from risbook.probing.patch_labels import LABEL_NAMES
from risbook.probing.probes import METHODS, patch_probe
from risbook.progress_bar import progress_bar
from risbook.towers.image_transformer import ImageTransformer
from risbook.towers.stages import StagedImageTower

#: side of a patch in pixels -> labels of training and of test patches, (N, h, w) each, see
#: `risbook.probing.patch_labels.patch_labels`
LabelsOfPatches = Callable[[int], tuple[Tensor, Tensor]]

#: training and test images, or their features
Pair = tuple[Tensor, Tensor]

_BATCH = 25
_RECORDED = Path(__file__).resolve().parents[1] / "checkpoints" / "block_probes"


def probe_blocks(
    tower: StagedImageTower,
    images: Pair,
    labels: LabelsOfPatches,
    *,
    train_limit: int = 20_000,
    show_progress: bool = True,
) -> list[dict[str, Any]]:
    """Probe the patches of a tower after every block, or every stage of a ResNet.

    Args:
        tower: in evaluation mode.
        images: preprocessed training and test images (N, 3, S, S).
        labels: kinds of the patches, 0 for the background.
        train_limit: the probes learn from at most so many patches.
        show_progress: show a progress bar.

    Returns:
        A row per block: "after", "side" of the map in patches, and for "knn" and "linear" the
        accuracy, the mean accuracy over the classes and the mIoU.
    """
    names = LABEL_NAMES["kind"][1:]
    rows = []
    for after, (train_map, test_map) in progress_bar(
        block_features(tower, images), show=show_progress, unit="block"
    ):
        side = train_map.shape[1]
        # without the background, label 0, the others move down by one
        train_labels, test_labels = (
            torch.where(part > 0, part - 1, -1) for part in labels(images[0].shape[-1] // side)
        )
        row: dict[str, Any] = {"after": after, "side": side}
        for method in METHODS:
            score = patch_probe(
                train_map,
                train_labels,
                test_map,
                test_labels,
                names=names,
                method=method,
                train_limit=train_limit,
            )
            row[method] = {
                "accuracy": round(score.accuracy, 4),
                "mean class accuracy": round(score.mean_class_accuracy, 4),
                "mIoU": round(score.miou, 4),
            }
            row["count"] = score.count
        rows.append(row)
    return rows


def block_features(tower: StagedImageTower, images: Pair) -> Iterator[tuple[str, Pair]]:
    """Maps (N, h, w, C) of two sets of images after every block, and after the last norm.

    Yields:
        The name of the place, and the maps of both sets. A ResNet has a map per stage.
    """
    first, second = (_apply(tower.begin_stages, torch.split(part, _BATCH)) for part in images)
    for step in _steps(tower):
        first, second = _apply(step.advance, first), _apply(step.advance, second)
        yield step.name, (_joined(step.read, first), _joined(step.read, second))


class _Step(NamedTuple):
    """How a tower goes on to the next place, and how the map there is read from its state."""

    name: str
    advance: Callable[[Any], Any]
    read: Callable[[Any], Tensor]


def _steps(tower: StagedImageTower) -> list[_Step]:
    if not isinstance(tower, ImageTransformer):
        stages = range(1, tower.num_stages + 1)
        steps = [
            _Step(f"stage {stage}", partial(tower.run_stage, stage), tower.stage_map)
            for stage in stages
        ]
        return [*steps, _Step("final", lambda state: state, tower.final_map)]

    def run_block(block: int, state: Any) -> Any:
        tokens = tower.forward_blocks(state.tokens, block, block + 1, grid=state.grid)
        return state._replace(tokens=tokens)

    def final(state: Any) -> Tensor:
        return tower.tokens_to_map(tower.forward_final(state.tokens), state.grid)

    blocks = range(len(tower.blocks))
    steps = [_Step(f"block {i}", partial(run_block, i), tower.stage_map) for i in blocks]
    return [*steps, _Step("final", lambda state: state, final)]


def _apply(function: Callable[[Any], Any], states: Iterable[Any]) -> list[Any]:
    # the mode is not left open by a generator that is suspended
    with torch.inference_mode():
        return [function(state) for state in states]


def _joined(read: Callable[[Any], Tensor], states: list[Any]) -> Tensor:
    """The maps of all batches, (N, h, w, C)."""
    return torch.cat(_apply(read, states)).permute(0, 2, 3, 1).float()


def load_block_probe(name: str) -> dict[str, Any]:
    """Load the recorded result of ``risbook towers probe NAME``.

    Args:
        name: a tower that the package carries a recording of, for instance "dinov2-s", or
            "dinov2-s-random" for this network with random weights.

    Returns:
        Plain values; "rows" holds what `probe_blocks` returned.

    Raises:
        ArgumentError: nothing was recorded for this tower.
    """
    names = sorted(path.stem for path in _RECORDED.glob("*.json"))
    if name not in names:
        raise ArgumentError(f"name: nothing recorded for {name!r}, choose one of {names}")
    result: dict[str, Any] = read_json(_RECORDED / f"{name}.json")
    return result
