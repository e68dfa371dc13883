"""Record which words of a relation the shipped models use, on scenes of another seed.

python book/_tools/relation_tests.py                both models of chapter 1.4
python book/_tools/relation_tests.py etris-mini     one model, by its name or folder

The command draws a whole world with another seed (a few minutes, once). No model was trained on
it, so all of its splits are searched. The unit of the standard errors is the image.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from book_config import ROOT

from risbook.data import ReferData, open_data
from risbook.evaluation.result_files import write_result
from risbook.refscenes.write import world_folder
from risbook.systems import System, load_system
from risbook.teaching import (
    Example,
    anchor_pairs,
    collect_outcomes,
    drop_anchor,
    load_examples,
    load_objects,
    mean_and_error,
    names_side,
    needs_anchor,
    same_word_pairs,
)

FOLDER = ROOT / "book" / "results" / "relation-tests"
MODELS = ("first-model", "etris-mini")
WORLD_SEED = 1
MOST_PAIRS = 400  # enough for a standard error of 2.5 points


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Test which words of a relation models use.")
    parser.add_argument("models", nargs="*", default=list(MODELS))
    options = parser.parse_args()
    world = world_folder("standard", WORLD_SEED)
    worlds = [open_data(world / name) for name in ("refscenes", "refscenesg")]
    pairs = {
        "same words": find_same_word_pairs(worlds[0]),
        "anchor pairs": find_anchor_pairs(worlds),
    }
    sentences = find_anchor_sentences(worlds)
    for name in options.models:
        model = load_system(name)
        rows = []
        for test, members in pairs.items():
            rows.append({"row": f"{Path(name).name}, {test}", **measure_pairs(model, members)})
        for test, members in sentences.items():
            rows.append({"row": f"{Path(name).name}, {test}", **measure_sentences(model, members)})
        for row in rows:
            row["set"] = f"drawn world of seed {WORLD_SEED}"
            print(row, flush=True)
        command = ["python", "book/_tools/relation_tests.py", name]
        settings = {"world seed": WORLD_SEED, "splits": "all", "most pairs": MOST_PAIRS}
        about = {"suite": "relation-tests"}
        path = FOLDER / f"{Path(name).name}.json"
        FOLDER.mkdir(exist_ok=True)
        write_result(path, rows, command=command, system=model, settings=settings, about=about)


Located = tuple[ReferData, Example]


def find_same_word_pairs(data: ReferData) -> list[Located]:
    """List both examples of each of the first pairs, one after the other, with their set."""
    located = []
    for split in data.splits:
        for pair in same_word_pairs(data, split):
            objects = load_objects(data, pair.image_id)
            for sentence, place in zip(pair.sentences, pair.targets, strict=True):
                example = Example(sentence, pair.image_id, -1, objects, objects[place])
                located.append((data, example))
    return located[: 2 * MOST_PAIRS]


def find_anchor_pairs(worlds: Sequence[ReferData]) -> list[Located]:
    """List both examples of each of the first pairs that differ in the anchor."""
    located = []
    for data in worlds:
        for split in data.splits:
            for pair in anchor_pairs(data, split):
                located += [(data, example) for example in pair]
    return located[: 2 * MOST_PAIRS]


def find_anchor_sentences(worlds: Sequence[ReferData]) -> dict[str, list[Located]]:
    """Group the sentences of the sets that need their anchor by their relation."""
    groups: dict[str, list[Located]] = {"left of, right of": [], "other relations": []}
    for data in worlds:
        for split in data.splits:
            for example in filter(needs_anchor, load_examples(data, split)):
                name = "left of, right of" if names_side(example) else "other relations"
                groups[name].append((data, example))
    return groups


def measure_pairs(model: System, located: Sequence[Located]) -> dict[str, Any]:
    """Measure the shares of pairs with one, both, or twice the same object selected."""
    outcomes = select(model, located)
    is_right = np.array([outcome.is_right for outcome in outcomes])
    firsts, seconds = outcomes[0::2], outcomes[1::2]
    same = [a.selected is b.selected for a, b in zip(firsts, seconds, strict=True)]
    chances = np.array([1 / len(outcome.example.same_category) for outcome in outcomes])
    random = chances[0::2] * chances[1::2]  # both objects, each among those of its category
    both = is_right[0::2] & is_right[1::2]
    image_ids = [outcome.example.image_id for outcome in firsts]
    return summarise(both, random, image_ids) | {
        "first right": float(is_right[0::2].mean()),
        "second right": float(is_right[1::2].mean()),
        "same object": float(np.mean(same)),
    }


def measure_sentences(model: System, located: Sequence[Located]) -> dict[str, Any]:
    """Measure the share of right selections, with and without the anchor in the sentence."""
    outcomes = select(model, located)
    cut = select(model, located, drop_anchor)
    random = [1 / len(outcome.example.same_category) for outcome in outcomes]
    image_ids = [outcome.example.image_id for outcome in outcomes]
    right = np.array([outcome.is_right for outcome in outcomes], float)
    right_without = np.array([outcome.is_right for outcome in cut], float)
    gain, error = mean_and_error(right - right_without, image_ids)
    return summarise(right, random, image_ids) | {
        "without anchor": float(right_without.mean()),
        "gain of anchor": gain,
        "error of that gain": error,
    }


def select(
    model: System, located: Sequence[Located], change: Callable[[str], str] = str
) -> list[Any]:
    """Predict every example with the images of its set, in the given order."""
    outcomes: list[Any] = []
    for data, example in located:
        outcomes += collect_outcomes(model.predict, data, [example], [change(example.sentence)])
    return outcomes


def summarise(right: Any, random: Any, image_ids: Sequence[int]) -> dict[str, Any]:
    """Mean, standard error, the mean of random selection, and the paired difference from it."""
    share, error = mean_and_error(right, image_ids)
    gain, gain_error = mean_and_error(np.asarray(right, float) - np.asarray(random), image_ids)
    return {
        "count": len(image_ids),
        "images": len(set(image_ids)),
        "share": share,
        "standard error": error,
        "random": float(np.mean(random)),
        "gain": gain,
        "gain error": gain_error,
    }


if __name__ == "__main__":
    main()
