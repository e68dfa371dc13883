"""Replace what the Bridgers of a trained model add, and record what this costs.

python book/_tools/bridger_controls.py                etris-mini
python book/_tools/bridger_controls.py runs/my-etris  another model, by its name or folder
python book/_tools/bridger_controls.py --every 6      every sixth expression only

The replacements and the class are those of chapter 4.1: the terms become zero, the mean over
training expressions, or the terms for another input: the same image with an expression of another
object, or each side with another partner: image terms of this image with the other expression, text
terms of this expression with another image. All expressions of `val` are used whose image has
another described object. The unit of the standard errors is the image.

A result file holds the means of each row, and a table beside it (CSV) the IoU of every expression.
"""

import argparse
import copy
import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from book_config import BOOK, ROOT
from first_model_ablations import read_definitions
from torch import Tensor

from risbook.data import ReferData, open_data
from risbook.data.letterbox import Letterbox
from risbook.evaluation import predict_mask
from risbook.evaluation.result_files import write_result
from risbook.probing.encoding import preprocess
from risbook.systems import load_system
from risbook.teaching import Example, iou_with_objects, load_examples, mean_and_error

CHAPTER = BOOK / "etris" / "bridger.ipynb"
FOLDER = ROOT / "book" / "results" / "bridger-controls"
MEAN_OF = 192  # training expressions of the mean term
BATCH = 64

Terms = dict[int, tuple[Tensor | None, Tensor | None]]  # stage -> image term, text term
Selected = tuple[float, bool, bool]  # IoU, selects own object, selects the other one
Pairs = Sequence[tuple[Example, Example]]  # an expression, and one of another object of its image


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Replace what trained Bridgers add.")
    parser.add_argument("model", nargs="?", default="etris-mini")
    parser.add_argument("--every", type=int, default=1, help="use every n-th expression of val")
    options = parser.parse_args()
    data = open_data("refscenes")
    system = load_system(options.model)
    pairs = find_pairs(load_examples(data, "val"), options.every)
    selected = measure(system, data, pairs)
    image_ids = [example.image_id for example, _ in pairs]
    rows = [summarise(name, selected, image_ids) for name in selected]
    name = Path(options.model).name
    command = ["python", "book/_tools/bridger_controls.py", options.model]
    command += ["--every", str(options.every)]
    settings = {"split": "val", "every": options.every, "expressions of the mean": MEAN_OF}
    about = {"suite": "bridger-controls"}
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{name}.json"
    write_result(path, rows, command=command, system=system, settings=settings, about=about)
    write_ious(path.with_suffix(".csv"), pairs, selected)


def find_pairs(examples: Sequence[Example], every: int = 1) -> list[tuple[Example, Example]]:
    """Pair expressions with one about another object of the same image, drawn at random."""
    of_image: dict[int, list[Example]] = {}
    for example in examples:
        of_image.setdefault(example.image_id, []).append(example)
    random, pairs = np.random.default_rng(0), []
    for example in examples[::every]:
        others = [o for o in of_image[example.image_id] if o.target is not example.target]
        if others:
            pairs.append((example, others[random.integers(len(others))]))
    return pairs


@torch.inference_mode()
def measure(system: Any, data: ReferData, pairs: Pairs) -> dict[str, list[Selected]]:
    """Measure every replacement on the same expressions; the first row is the unchanged model."""
    model = copy.deepcopy(system)
    model.bridgers = read_definitions(CHAPTER)["ReplacedTerms"](model.bridgers)
    mean_terms = find_mean_terms(model, data)
    selected: dict[str, list[Selected]] = {}
    for start in range(0, len(pairs), BATCH):
        batch = pairs[start : start + BATCH]
        images = [data.image(example.image_id) for example, _ in batch]
        squares = preprocess(images, model.image_size)
        boxes = []
        for image in images:
            height, width = image.shape[:2]
            boxes.append(Letterbox(height=height, width=width, size=model.image_size))
        token_ids = model.tokenizer([example.sentence for example, _ in batch])
        other_ids = model.tokenizer([other.sentence for _, other in batch])
        of_other_sentence = collect_terms(model, squares, other_ids)
        other_images = [data.image(image_id) for image_id in find_other_images(pairs, start)]
        other_squares = preprocess(other_images, model.image_size)
        of_other_image = collect_terms(model, other_squares, token_ids)
        for name, terms in replacements(mean_terms, of_other_sentence, of_other_image):
            model.bridgers.replacements = terms
            masks = predict_mask(model(squares, token_ids), boxes)
            for (example, other), mask in zip(batch, masks, strict=True):
                selected.setdefault(name, []).append(select(mask, example, other))
        print(min(start + BATCH, len(pairs)), "of", len(pairs), flush=True)
    return selected


def find_other_images(pairs: Pairs, start: int) -> list[int]:
    """The image ids half the list further on, for the expressions of the batch from `start`."""
    count = len(pairs)
    batch = range(start, min(start + BATCH, count))
    return [pairs[(place + count // 2) % count][0].image_id for place in batch]


def replacements(
    mean_terms: Terms, of_other_sentence: Terms, of_other_image: Terms
) -> Iterator[tuple[str, Terms]]:
    """List the names of the rows and the terms that stand in for those of the Bridgers."""
    zero = torch.zeros(())
    yield "unchanged", {}
    yield "nothing", dict.fromkeys(mean_terms, (zero, zero))
    yield "nothing, image side", dict.fromkeys(mean_terms, (zero, None))
    yield "nothing, text side", dict.fromkeys(mean_terms, (None, zero))
    yield "mean term", mean_terms
    yield "other sentence", of_other_sentence
    partners: Terms = {s: (of_other_sentence[s][0], of_other_image[s][1]) for s in mean_terms}
    yield "other partner", partners
    for stage in mean_terms:
        yield f"nothing, Bridger {stage}", {stage: (zero, zero)}


def find_mean_terms(model: Any, data: ReferData) -> Terms:
    """The mean terms of training expressions: stage -> (1, C, h, w) and (1, L, C)."""
    rows = list(data.expressions.split("train"))
    rows = rows[:: len(rows) // MEAN_OF][:MEAN_OF]
    sums: dict[int, list[Tensor]] = {}
    for start in range(0, MEAN_OF, BATCH):
        batch = rows[start : start + BATCH]
        squares = preprocess([data.image(row.image_id) for row in batch], model.image_size)
        terms = collect_terms(model, squares, model.tokenizer([row.sent for row in batch]))
        for stage, (image_term, text_term) in terms.items():
            assert image_term is not None and text_term is not None
            total = sums.setdefault(stage, [torch.zeros(()), torch.zeros(())])
            total[0] = total[0] + image_term.sum(dim=0, keepdim=True) / MEAN_OF
            total[1] = total[1] + text_term.sum(dim=0, keepdim=True) / MEAN_OF
    return {stage: (total[0], total[1]) for stage, total in sums.items()}


def collect_terms(model: Any, squares: Tensor, token_ids: Tensor) -> Terms:
    """What the Bridgers add of their own."""
    model.bridgers.replacements = {}
    model.bridge(squares, token_ids)
    return dict(model.bridgers.added)


def select(mask: Any, example: Example, other: Example) -> Selected:
    """Compare a mask with all objects of the image."""
    ious = iou_with_objects(mask, example.objects)
    best = example.objects[int(ious.argmax())] if ious.max() > 0 else None
    own_iou = float(ious[example.objects.index(example.target)])
    return own_iou, best is example.target, best is other.target


def summarise(
    name: str, selected: dict[str, list[Selected]], image_ids: Sequence[int]
) -> dict[str, Any]:
    """Means of one row, and paired differences from the unchanged model."""
    values, unchanged = np.array(selected[name], float), np.array(selected["unchanged"], float)
    row: dict[str, Any] = {"row": name, "set": "refscenes", "count": len(values)}
    for column, measured in enumerate(("mIoU", "selects own", "selects other")):
        difference, error = mean_and_error(values[:, column] - unchanged[:, column], image_ids)
        row[measured] = float(values[:, column].mean())
        row[f"{measured} difference"] = difference
        row[f"error of {measured} difference"] = error
    return row


def write_ious(path: Path, pairs: Pairs, selected: dict[str, list[Selected]]) -> None:
    """Write a table with a line per expression: the ids, and the IoU of every row."""
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["sent_id", "image_id", *selected])
        for (example, _), *outcomes in zip(pairs, *selected.values(), strict=True):
            ious = [f"{iou:.4f}" for iou, _, _ in outcomes]
            table.writerow([example.sent_id, example.image_id, *ious])


if __name__ == "__main__":
    main()
