"""Take the adapters or the sentence away from a trained DETRIS, and record what this costs.

python book/_tools/detris_controls.py             detris-s, every sixth expression of `val`
python book/_tools/detris_controls.py --every 30  a short try

Nothing is trained. Three rows set the factor of adapters from 0.2 to 0. Five rows exchange the
sentence for one about another object of the same image, or about another image: for all parts, for
the Dense Aligners alone, or for the mask head alone. Used are all expressions whose image has
another described object.

A result file holds the means of each row with the paired difference from the unchanged model and
its interval (95 %, a bootstrap over images), and a table beside it (CSV) the IoU of every
expression. With the target, the IoU with the object of the other sentence is recorded, too.
"""

import argparse
import csv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from book_config import ROOT
from bridger_controls import BATCH, Pairs, find_foreign, find_pairs
from torch import Tensor

from risbook.data import ReferData, open_data
from risbook.data.letterbox import Letterbox
from risbook.evaluation import paired_difference, predict_mask
from risbook.evaluation.result_files import write_result
from risbook.probing.encoding import preprocess
from risbook.systems import load_system
from risbook.teaching import iou_with_objects, load_examples

FOLDER = ROOT / "book" / "results" / "detris-controls"
SETS = ("refscenes",)

#: row -> towers whose adapters are switched off
SWITCHED_OFF = {
    "no Dense Aligners": ("image",),
    "no Text Adapters": ("text",),
    "no adapters": ("image", "text"),
}

Ious = list[tuple[float, float]]  # with the described object, with that of the other sentence


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Take adapters or the sentence away.")
    parser.add_argument("--every", type=int, default=6, help="use every n-th expression of val")
    every = parser.parse_args().every
    torch.set_num_threads(1)
    system = load_system("detris-s").requires_grad_(False)
    rows, table = [], []
    for name in SETS:
        data = open_data(name)
        pairs = find_pairs(load_examples(data, "val"), every)
        measured = measure(system, data, pairs)
        image_ids = [example.image_id for example, _ in pairs]
        rows += [summarise(row, name, measured, image_ids) for row in measured]
        table += list_ious(name, pairs, measured)
    command = ["python", "book/_tools/detris_controls.py", "--every", str(every)]
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / "detris-s.json"
    write_result(
        path,
        rows,
        command=command,
        system=system,
        settings={"split": "val", "every": every},
        about={"suite": "detris-controls"},
    )
    with path.with_suffix(".csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(table)


@torch.inference_mode()
def measure(system: Any, data: ReferData, pairs: Pairs) -> dict[str, Ious]:
    """Measure every row on the same expressions; the first row is the unchanged model."""
    measured: dict[str, Ious] = {}
    for start in range(0, len(pairs), BATCH):
        batch = pairs[start : start + BATCH]
        images = [data.image(example.image_id) for example, _ in batch]
        squares = preprocess(images, system.image_size)
        boxes = []
        for image in images:
            height, width = image.shape[:2]
            boxes.append(Letterbox(height=height, width=width, size=system.image_size))
        own = system.tokenizer([example.sentence for example, _ in batch])
        other = system.tokenizer([other.sentence for _, other in batch])
        foreign = system.tokenizer([example.sentence for example in find_foreign(pairs, start)])
        for name, logits in predictions(system, squares, own, other, foreign):
            for (example, rival), mask in zip(batch, predict_mask(logits, boxes), strict=True):
                ious = iou_with_objects(mask, example.objects)
                places = [example.objects.index(part.target) for part in (example, rival)]
                own_iou, other_iou = (float(ious[place]) for place in places)
                measured.setdefault(name, []).append((own_iou, other_iou))
        print(data.folder.name, min(start + BATCH, len(pairs)), "of", len(pairs), flush=True)
    return measured


def predictions(
    system: Any, squares: Tensor, own: Tensor, other: Tensor, foreign: Tensor
) -> Iterator[tuple[str, Tensor]]:
    """List the rows and their logits (B, 1, h, w).

    Args:
        system: a trained DETRIS.
        squares: letterboxed images (B, 3, S, S).
        own: token ids of the expressions, (B, L).
        other: token ids of expressions about another object of the same image.
        foreign: token ids of expressions about another image.
    """
    head = system.head
    maps, text = encode(system, squares, own)
    yield "unchanged", head(maps, text)
    for row, towers in SWITCHED_OFF.items():
        with switched_off(system, towers):
            yield row, head(*encode(system, squares, own))
    other_maps, other_text = encode(system, squares, other)
    yield "other object's sentence", head(other_maps, other_text)
    yield "other object's sentence, Dense Aligners alone", head(other_maps, text)
    yield "other object's sentence, mask head alone", head(maps, other_text)
    foreign_maps, foreign_text = encode(system, squares, foreign)
    yield "other image's sentence", head(foreign_maps, foreign_text)
    yield "other image's sentence, Dense Aligners alone", head(foreign_maps, text)


def encode(system: Any, squares: Tensor, token_ids: Tensor) -> tuple[Any, Any]:
    """The three maps, whose Dense Aligners read these sentences, and the text features."""
    features, text = system.encode(squares, token_ids)
    return features.maps, text


@contextmanager
def switched_off(system: Any, towers: Sequence[str]) -> Iterator[None]:
    """Set the factor of all adapters of these towers to 0, and give it back at the end."""
    placements = []
    for name in towers:
        tower = getattr(system, f"{name}_tower")
        placements += [part for part in tower.modules() if hasattr(part, "adapter")]
    factors = [placement.scale for placement in placements]
    for placement in placements:
        placement.scale = 0.0
    try:
        yield
    finally:
        for placement, factor in zip(placements, factors, strict=True):
            placement.scale = factor


def summarise(
    name: str, set_name: str, measured: Mapping[str, Ious], image_ids: Sequence[int]
) -> dict[str, Any]:
    """Means of one row, and its paired difference from the unchanged model, as shares."""
    ious = [own for own, _ in measured[name]]
    unchanged = [own for own, _ in measured["unchanged"]]
    difference = paired_difference(ious, unchanged, image_ids)
    row: dict[str, Any] = {"row": name, "set": set_name, "count": len(ious)}
    row["mIoU"] = sum(ious) / len(ious)
    row["mIoU, other object"] = sum(other for _, other in measured[name]) / len(ious)
    row["difference"], row["low"] = difference.mean, difference.low
    return row | {"high": difference.high}


def list_ious(set_name: str, pairs: Pairs, measured: Mapping[str, Ious]) -> list[list[str]]:
    """Lines of the table: set, row, ids, the IoU with the described object and with the other."""
    lines = [] if set_name != SETS[0] else [["set", "row", "sent_id", "image_id", "own", "other"]]
    for row, ious in measured.items():
        for (example, _), (own, other) in zip(pairs, ious, strict=True):
            ids = [str(example.sent_id), str(example.image_id)]
            lines.append([set_name, row, *ids, f"{own:.3f}", f"{other:.3f}"])
    return lines


if __name__ == "__main__":
    main()
