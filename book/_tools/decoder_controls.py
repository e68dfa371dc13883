"""Give neck, decoder and Projector of a trained model other texts, and record what this costs.

python book/_tools/decoder_controls.py                         etris-mini, any other object
python book/_tools/decoder_controls.py --partner other-colour  same category, another colour
python book/_tools/decoder_controls.py --partner side          own sentence, other side
python book/_tools/decoder_controls.py runs/my-etris           another model, name or folder

The sentence enters the mask head at three places: the gates of the neck, the tokens of the decoder
and the kernel of the Projector. One of them, or all, gets another text: the mean over training
expressions, an expression of another object of the image, or another expression of the same object.
The maps stay those of the own sentence. With `--partner` the other object has another category
than the described one, the same category and another colour, or both the same (`same-kind`). With
`side` both are the same, no third object fits the sentence without its side, and the other text is
the own sentence with *left* and *right* exchanged, so that the texts differ in nothing else. The
unit of the standard errors is the image. The rows of the other object also hold the paired
difference from the same object at the same place: what the other object changes beyond a rewording.
"""

import argparse
import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from book_config import ROOT
from bridger_controls import Selected, select, summarise
from torch import Tensor

from risbook.data import ReferData, open_data
from risbook.data.letterbox import Letterbox
from risbook.evaluation import predict_mask
from risbook.evaluation.result_files import write_result
from risbook.probing.encoding import preprocess
from risbook.refscenes.scene_types import COLOURS
from risbook.systems import load_system
from risbook.teaching import Example, SceneObject, load_examples, mean_and_error
from risbook.towers.features import TextFeatures

FOLDER = ROOT / "book" / "results" / "decoder-controls"
MEAN_OF = 192  # training expressions of the mean text
BATCH = 16
PLACES = ("gates", "tokens", "kernel")
PARTNERS = ("any", "other-category", "other-colour", "same-kind", "side")
SIDES = {"left": "right", "right": "left"}
PLACE_WORDS = {"the", "on", "side", *SIDES}  # of a sentence of the kind `side`, without the object


class Triple(NamedTuple):
    """An expression, one of another object of its image, and another one of its own object."""

    own: Example
    other: Example
    paraphrase: Example


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Give the parts of a mask head other texts.")
    parser.add_argument("model", nargs="?", default="etris-mini")
    parser.add_argument("--every", type=int, default=1, help="use every n-th expression of val")
    which = "how the other object relates to the described one"
    parser.add_argument("--partner", choices=PARTNERS, default="any", help=which)
    options = parser.parse_args()
    data, system = open_data("refscenes"), load_system(options.model)
    triples = find_triples(load_examples(data, "val"), options.every, options.partner)
    selected = measure(system, data, triples)
    image_ids = [triple.own.image_id for triple in triples]
    rows = [summarise(name, selected, image_ids) for name in selected]
    for row in rows:
        if row["row"].startswith("other object"):
            row |= subtract_control(row["row"], selected, image_ids)
    name = Path(options.model).name
    command = ["python", "book/_tools/decoder_controls.py", options.model]
    command += ["--every", str(options.every)]
    suite = "decoder-controls"
    if options.partner != "any":
        command += ["--partner", options.partner]
        name, suite = f"{name}-{options.partner}", f"{suite}-{options.partner}"
    settings = {"split": "val", "every": options.every, "expressions of the mean": MEAN_OF}
    FOLDER.mkdir(exist_ok=True)
    path, about = FOLDER / f"{name}.json", {"suite": suite}
    write_result(path, rows, command=command, system=system, settings=settings, about=about)


def find_triples(examples: Sequence[Example], every: int, partner: str = "any") -> list[Triple]:
    """Find two other expressions for every n-th one, drawn at random where there are several."""
    of_image: dict[int, list[Example]] = {}
    for example in examples:
        of_image.setdefault(example.image_id, []).append(example)
    random, triples = np.random.default_rng(0), []
    for own in examples[::every]:
        rows = of_image[own.image_id]
        others = [row for row in rows if row.target is not own.target]
        if partner == "side":
            others = exchange_sides(own)
        elif partner != "any":
            others = [row for row in others if relate(own, row) == partner]
        same = [row for row in rows if row.target is own.target and row.sentence != own.sentence]
        if others and same:
            other, paraphrase = (
                others[random.integers(len(others))],
                same[random.integers(len(same))],
            )
            triples.append(Triple(own, other, paraphrase))
    return triples


def relate(own: Example, other: Example) -> str:
    """Say in what the described objects of two expressions differ."""
    if other.target.category != own.target.category:
        return "other-category"
    return "same-kind" if other.target.colour == own.target.colour else "other-colour"


def exchange_sides(own: Example) -> list[Example]:
    """The own sentence with left and right exchanged, if it then describes exactly one object.

    The sentence names a side, at most a colour, and an object; the image has one further object of
    the same category and colour, on the other side, and no third one that fits.
    """
    words = own.sentence.split()
    rest = [word for word in words if word not in PLACE_WORDS]
    side = [word for word in words if word in SIDES]
    if len(side) != 1 or not (len(rest) == 1 or (len(rest) == 2 and rest[0] in COLOURS)):
        return []
    same = [o for o in own.objects if o is not own.target and o.category == own.target.category]
    same_colour = [other for other in same if other.colour == own.target.colour]
    fitting = same if len(rest) == 1 else same_colour
    if len(same_colour) != 1 or len(fitting) != 1:
        return []
    if (find_column(own.target) < find_column(same_colour[0])) != (side == ["left"]):
        return []
    sentence = " ".join(SIDES.get(word, word) for word in words)
    return [dataclasses.replace(own, sentence=sentence, target=same_colour[0])]


def find_column(item: SceneObject) -> float:
    """The mean column of an object."""
    return float(np.argwhere(item.mask)[:, 1].mean())


def subtract_control(
    name: str, selected: dict[str, list[Selected]], image_ids: Sequence[int]
) -> dict[str, float]:
    """How often the other object is selected with its text, minus that with the same object's."""
    control = name.replace("other object", "same object")
    pairs = zip(selected[name], selected[control], strict=True)
    differences = np.array([float(a[2]) - float(b[2]) for a, b in pairs])
    difference, error = mean_and_error(differences, image_ids)
    measure = "selects other minus same object"
    return {measure: difference, f"error of {measure}": error}


@torch.inference_mode()
def measure(system: Any, data: ReferData, triples: Sequence[Triple]) -> dict[str, list[Selected]]:
    """Measure every row on the same expressions; the first row is the unchanged model."""
    mean = find_mean_text(system, data)
    selected: dict[str, list[Selected]] = {}
    for start in range(0, len(triples), BATCH):
        batch = triples[start : start + BATCH]
        images = [data.image(triple.own.image_id) for triple in batch]
        squares = preprocess(images, system.image_size)
        boxes = []
        for image in images:
            height, width = image.shape[:2]
            boxes.append(Letterbox(height=height, width=width, size=system.image_size))
        maps, own = encode(system, squares, [triple.own.sentence for triple in batch])
        _, other = encode(system, squares, [triple.other.sentence for triple in batch])
        _, paraphrase = encode(system, squares, [triple.paraphrase.sentence for triple in batch])
        texts = {
            "mean text": expand(mean, own),
            "other object": other,
            "same object": paraphrase,
        }
        for name, (gates, tokens, kernel) in list_rows(own, texts):
            logits = decode(system.head, maps, gates, tokens, kernel)
            for triple, mask in zip(batch, predict_mask(logits, boxes), strict=True):
                selected.setdefault(name, []).append(select(mask, triple.own, triple.other))
        print(min(start + BATCH, len(triples)), "of", len(triples), flush=True)
    return selected


def list_rows(
    own: TextFeatures, texts: dict[str, TextFeatures]
) -> Iterator[tuple[str, tuple[TextFeatures, TextFeatures, TextFeatures]]]:
    """List the names of the rows, and the texts that gates, tokens and kernel get."""
    yield "unchanged", (own, own, own)
    for name, text in texts.items():
        for place in PLACES:
            gates, tokens, kernel = (text if place == p else own for p in PLACES)
            yield f"{name}, {place}", (gates, tokens, kernel)
        yield f"{name}, all three", (text, text, text)


def encode(system: Any, squares: Tensor, sentences: list[str]) -> tuple[Any, TextFeatures]:
    """Maps and text features behind the Bridgers."""
    token_ids = system.tokenizer(sentences)
    maps, state = system.bridge(squares, token_ids)
    return maps, system.text_tower.final_features(state, token_ids)


def decode(
    head: Any, maps: Any, gates: TextFeatures, tokens: TextFeatures, kernel: TextFeatures
) -> Tensor:
    """Logits of a mask head whose three parts get a text each."""
    fused = head.neck(maps, gates)
    aligned = head.decoder(fused, tokens.text_tokens, tokens.key_padding_mask)
    logits: Tensor = head.projector(aligned, kernel.sentence_embedding)
    return logits


def find_mean_text(system: Any, data: ReferData) -> TextFeatures:
    """The mean over training expressions: of the embeddings, and of the tokens at each place."""
    examples = load_examples(data, "train")
    examples = examples[:: len(examples) // MEAN_OF][:MEAN_OF]
    embeddings, tokens, masks = [], [], []
    for start in range(0, MEAN_OF, BATCH):
        batch = examples[start : start + BATCH]
        squares = preprocess([data.image(e.image_id) for e in batch], system.image_size)
        _, text = encode(system, squares, [e.sentence for e in batch])
        embeddings.append(text.sentence_embedding)
        tokens.append(text.text_tokens)
        masks.append(~text.key_padding_mask)
    present = torch.cat(masks)[..., None]  # (192, L, 1)
    mean_tokens = (torch.cat(tokens) * present).sum(dim=0) / present.sum(dim=0).clamp(min=1)
    return TextFeatures(
        text_tokens=mean_tokens[None],
        sentence_embedding=torch.cat(embeddings).mean(dim=0, keepdim=True),
        key_padding_mask=present.any(dim=0).logical_not().T,
    )


def expand(mean: TextFeatures, like: TextFeatures) -> TextFeatures:
    """Repeat the mean text for a batch; as many tokens count as the own sentence has."""
    count = len(like.sentence_embedding)
    return TextFeatures(
        text_tokens=mean.text_tokens.expand(count, -1, -1),
        sentence_embedding=mean.sentence_embedding.expand(count, -1),
        key_padding_mask=like.key_padding_mask,
    )


if __name__ == "__main__":
    main()
