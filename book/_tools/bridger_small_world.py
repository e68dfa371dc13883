"""Train the systems of the small world of chapter 4.1 with several seeds, and replace their terms.

python book/_tools/bridger_small_world.py               seeds 0, 1 and 2
python book/_tools/bridger_small_world.py --seeds 3 4   other seeds

The world, the systems and the measures are those of the notebook: the script executes its imports,
constants, functions and classes. Each form of the Bridger is trained alone and with a second path,
on which the head gets the sentence.
"""

import argparse
from typing import Any

import torch
from book_config import BOOK, ROOT
from first_model_ablations import read_definitions

from risbook.evaluation.result_files import write_result

CHAPTER = BOOK / "etris" / "bridger.ipynb"
FOLDER = ROOT / "book" / "results" / "bridger-small-world"


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Train the systems of chapter 4.1's small world.")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    seeds = parser.parse_args().seeds
    torch.set_num_threads(1)
    chapter = read_definitions(CHAPTER)
    words = [str(seed) for seed in seeds]
    rows = []
    for seed in seeds:
        for name, options in chapter["SYSTEMS"].items():
            rows.append({"row": name, "seed": seed, **measure(chapter, seed, options)})
            print(rows[-1], flush=True)
    FOLDER.mkdir(exist_ok=True)
    command = ["python", "book/_tools/bridger_small_world.py", "--seeds", *words]
    path = FOLDER / f"seeds-{'-'.join(words)}.json"
    write_result(path, rows, command=command, about={"suite": "bridger-small-world"})


def measure(chapter: dict[str, Any], seed: int, options: dict[str, Any]) -> dict[str, float]:
    """Train a system; its mean IoU, and the IoU with the own and the other category per term."""
    system = chapter["train_small"](seed=seed, **options)
    measured = {"mean IoU": chapter["mean_iou"](chapter["predict_small"](system))}
    for term, own, other, marked in chapter["replace_small_terms"](system):
        measured |= {f"{term}: own": own, f"{term}: other": other, f"{term}: marked": marked}
    return measured


if __name__ == "__main__":
    main()
