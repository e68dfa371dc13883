"""Replace what the Bridgers of a trained model add, and record what this costs.

python book/_tools/bridger_controls.py                etris-mini
python book/_tools/bridger_controls.py runs/my-etris  another model, by its name or folder
python book/_tools/bridger_controls.py --every 6      every sixth expression only

The replacements and the class are those of chapter 4.1: the terms become zero, the mean over
training expressions, or the terms for another input. Each term has an input of its own tower and a
partner, the input of the other tower. One of the two, or both, come from elsewhere: from another
expression or another image of `val`; a random partner is noise with the mean and the deviation of
each channel of the right one. One row does the reverse: the text tower, and so the decoder, reads
another sentence, and all terms stay those of the own one. All expressions of `val` are used whose
image has another described object. The unit of the standard errors is the image.

A result file holds the means of each row, and a table beside it (CSV) the IoU of every expression.
"""

import argparse
import copy
import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from book_config import BOOK, ROOT
from first_model_ablations import read_definitions
from torch import Tensor, nn

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
OTHER_DECODER = "other sentence, decoder"  # the row whose text tower reads the other sentence
BATCH = 16

Terms = dict[int, tuple[Tensor | None, Tensor | None]]  # stage -> image term, text term
Selected = tuple[float, bool, bool]  # IoU, selects own object, selects the other one
Pairs = Sequence[tuple[Example, Example]]  # an expression, and one of another object of its image


class Sources(NamedTuple):
    """Terms for other inputs than the own image with the own sentence.

    Attributes:
        own: own image, own sentence.
        mean: the mean over training expressions.
        other_sentence: own image, expression of another object of it.
        foreign_sentence: own image, expression of another image.
        foreign_image: another image, own sentence.
        random_partner: image terms with noise for the text, text terms with noise for the image.
    """

    own: Terms
    mean: Terms
    other_sentence: Terms
    foreign_sentence: Terms
    foreign_image: Terms
    random_partner: Terms


class NoisyPartner(nn.Module):
    """Bridgers whose input of one tower, text or image, is noise; keeps what they add.

    The noise has the mean and the deviation of each channel of the right input.
    """

    def __init__(self, bridgers: nn.Module, *, noisy_text: bool, seed: int) -> None:
        super().__init__()
        self.bridgers, self.noisy_text = bridgers, noisy_text
        self.random = torch.Generator().manual_seed(seed)
        self.added: Terms = {}

    def forward(
        self,
        stage: int,
        feature_map: Tensor,
        text_tokens: Tensor,
        previous: Any = None,
        **options: Any,
    ) -> tuple[Tensor, Tensor, Any]:
        """Compute the terms with noise on one side, and add them to the towers' own features."""
        own_map, own_text = feature_map, text_tokens
        if self.noisy_text:
            text_tokens = self.draw_like(text_tokens, dims=(0, 1))
        else:
            feature_map = self.draw_like(feature_map, dims=(0, 2, 3))
        bridged_map, bridged_text, handed_on = self.bridgers(
            stage, feature_map, text_tokens, previous, **options
        )
        terms = bridged_map - feature_map, bridged_text - text_tokens
        self.added[stage] = terms
        return own_map + terms[0], own_text + terms[1], handed_on

    def draw_like(self, features: Tensor, dims: tuple[int, ...]) -> Tensor:
        """Normal noise of the features' mean and deviation, taken over the given axes."""
        mean, deviation = features.mean(dims, keepdim=True), features.std(dims, keepdim=True)
        return mean + deviation * torch.randn(features.shape, generator=self.random)


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
        foreign = find_foreign(pairs, start)
        foreign_images = [data.image(example.image_id) for example in foreign]
        foreign_squares = preprocess(foreign_images, model.image_size)
        foreign_ids = model.tokenizer([example.sentence for example in foreign])
        sources = Sources(
            own=collect_terms(model, squares, token_ids),
            mean=mean_terms,
            other_sentence=of_other_sentence,
            foreign_sentence=collect_terms(model, squares, foreign_ids),
            foreign_image=collect_terms(model, foreign_squares, token_ids),
            random_partner=collect_noisy(model, squares, token_ids, seed=start),
        )
        for name, terms in replacements(sources):
            model.bridgers.replacements = terms
            ids = other_ids if name == OTHER_DECODER else token_ids
            masks = predict_mask(model(squares, ids), boxes)
            for (example, other), mask in zip(batch, masks, strict=True):
                selected.setdefault(name, []).append(select(mask, example, other))
        print(min(start + BATCH, len(pairs)), "of", len(pairs), flush=True)
    return selected


def find_foreign(pairs: Pairs, start: int) -> list[Example]:
    """The expressions half the list further on, for those of the batch from `start`."""
    count = len(pairs)
    batch = range(start, min(start + BATCH, count))
    return [pairs[(place + count // 2) % count][0] for place in batch]


def replacements(sources: Sources) -> Iterator[tuple[str, Terms]]:
    """List the names of the rows and the terms that stand in for those of the Bridgers."""
    zero, stages = torch.zeros(()), list(sources.mean)
    yield "unchanged", {}
    yield "nothing", dict.fromkeys(stages, (zero, zero))
    yield "mean term", sources.mean
    yield "other sentence, Bridgers", sources.other_sentence
    yield OTHER_DECODER, sources.own
    yield "other partner", join(sources.other_sentence, sources.foreign_image)
    yield "foreign partner", join(sources.foreign_sentence, sources.foreign_image)
    yield "random partner", sources.random_partner
    yield "foreign own input", join(sources.foreign_image, sources.foreign_sentence)


def join(image_side: Terms, text_side: Terms) -> Terms:
    """Image terms of one source, text terms of another."""
    return {stage: (image_side[stage][0], text_side[stage][1]) for stage in image_side}


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


def collect_noisy(model: Any, squares: Tensor, token_ids: Tensor, *, seed: int) -> Terms:
    """The terms with a random partner: for the image terms noisy text, for the text terms a map."""
    wrapper, sides = model.bridgers, []
    for noisy_text in (True, False):
        model.bridgers = NoisyPartner(wrapper.bridgers, noisy_text=noisy_text, seed=seed)
        model.bridge(squares, token_ids)
        sides.append(model.bridgers.added)
    model.bridgers = wrapper
    return join(*sides)


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
        row[measured], row[f"error of {measured}"] = mean_and_error(values[:, column], image_ids)
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
