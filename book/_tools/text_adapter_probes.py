"""Record which later words a trained Text Adapter names, for chapter 5.2, with three seeds.

python book/_tools/text_adapter_probes.py

The text tower, the sentences, the probe and its training are those of the chapter: one Text Adapter
in the last block of the frozen tower and a linear layer name the words one, three and five tokens
later. The rows differ in the kernels of D-MoC. "1 1 1" is the chain 1 3 5 whose convolutions all
have size 1: the same depth and the same number of convolutions, but no neighbours.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from book_config import BOOK, ROOT
from control_rows import write_rows
from first_model_ablations import read_definitions

CHAPTER = BOOK / "detris" / "text_adapter.ipynb"
PATH = ROOT / "book" / "results" / "text-adapter-probes" / "clip-mini-40k-text.json"
#: kernels of D-MoC; None is the frozen tower without an adapter
KERNELS = (None, "1", "1 1 1", "1 3", "1 3 5", "1 7", "1 11")
SEEDS = (0, 1, 2)


def main() -> None:
    """Run the command."""
    torch.set_num_threads(1)
    start = time.process_time()
    rows = record(read_definitions(CHAPTER))
    write_rows(PATH, rows, tool=__file__, seconds=time.process_time() - start)


def record(
    chapter: Mapping[str, Any],
    kernels_of_rows: Sequence[str | None] = KERNELS,
    seeds: Sequence[int] = SEEDS,
    *,
    steps: int = 200,
    count: int = 1000,
) -> list[dict[str, Any]]:
    """Train a probe per row and seed; the first row is the most frequent word."""
    train_set = chapter["load_sentences"]("train", count)
    val_set = chapter["load_sentences"]("val", 400)
    columns = [f"{distance} later" for distance in chapter["DISTANCES"]]
    numbers = [int((val_set[2][..., place] > 0).sum()) for place in range(len(columns))]
    shares = chapter["most_frequent"](val_set)
    rows: list[dict[str, Any]] = [{"row": "most frequent word", "words": numbers}]
    rows[0] |= {name: round(share, 4) for name, share in zip(columns, shares, strict=True)}
    for kernels in kernels_of_rows:
        for seed in seeds:
            probe = chapter["train_probe"](kernels, train_set, seed=seed, steps=steps)
            accuracies = chapter["word_accuracy"](probe, val_set)
            row: dict[str, Any] = {"row": kernels or "no adapter", "seed": seed}
            adapter = probe.adapter
            row["weights"] = chapter["count"](adapter) if adapter is not None else 0
            row |= {name: round(hit, 4) for name, hit in zip(columns, accuracies, strict=True)}
            rows.append(row)
            print(row, flush=True)
    return rows


if __name__ == "__main__":
    main()
