"""Train the heads of the small world of chapter 4.2 with several seeds, and record what they mark.

python book/_tools/decoder_small_world.py               seeds 0, 1 and 2
python book/_tools/decoder_small_world.py --seeds 3 4   other seeds

The world, the heads and the measures are those of the notebook: the script executes its imports,
constants, functions and classes. A head without the neck is that of the chapter's second exercise;
it is also trained with two decoder layers, and with four times as many steps.
"""

import argparse
from typing import Any

import torch
from book_config import BOOK, ROOT
from first_model_ablations import read_definitions

from risbook.evaluation.result_files import write_result

CHAPTER = BOOK / "etris" / "decoder.ipynb"
FOLDER = ROOT / "book" / "results" / "decoder-small-world"
# Heads that are not among those of the chapter's first training, in the same world.
FURTHER: dict[str, dict[str, Any]] = {
    "decoder, Projector": {"use_neck": False, "use_decoder": True},
    "two layers, Projector": {"use_neck": False, "use_decoder": True, "num_layers": 2},
    "neck, Projector, 800 steps": {"use_neck": True, "use_decoder": False, "steps": 800},
    "decoder, Projector, 800 steps": {"use_neck": False, "use_decoder": True, "steps": 800},
    "two layers, Projector, 800 steps": {
        "use_neck": False,
        "use_decoder": True,
        "num_layers": 2,
        "steps": 800,
    },
}


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Train the heads of chapter 4.2's small world.")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    seeds = parser.parse_args().seeds
    torch.set_num_threads(1)
    chapter = read_definitions(CHAPTER)
    words = " ".join(str(seed) for seed in seeds)
    rows = []
    for seed in seeds:
        for parts, options in (chapter["PARTS"] | FURTHER).items():
            rows.append({"row": parts, "seed": seed, **measure(chapter, seed, options)})
            print(rows[-1], flush=True)
    FOLDER.mkdir(exist_ok=True)
    command = ["python", "book/_tools/decoder_small_world.py", "--seeds", *words.split()]
    path = FOLDER / f"seeds-{'-'.join(words.split())}.json"
    write_result(path, rows, command=command, about={"suite": "decoder-small-world"})


def measure(chapter: dict[str, Any], seed: int, options: dict[str, Any]) -> dict[str, float]:
    """Train a head, and measure the shares of marked objects, with each exchange of words."""
    head = chapter["train_small"](seed=seed, **options)
    described, twin = chapter["measure_marks"](head)
    shares = {"described marked": described, "twin marked": twin}
    for exchanged, values in chapter["exchange_words"](head).items():
        for which, share in zip(chapter["MARKED"], values, strict=True):
            shares[f"{exchanged}: {which}"] = share
    for place, (share, _, _) in chapter["measure_places"](head).items():
        shares[f"marked: {place}"] = share
    return shares


if __name__ == "__main__":
    main()
