"""Record what chapter 5.1 measures on several seeds and on larger systems.

python book/_tools/dense_aligner_controls.py small-world   five seeds, three rates
python book/_tools/dense_aligner_controls.py gradients     three untrained systems

The small world, the training loop and the measurements are those of the chapter. In the small world
the released and the repaired form are trained by Adam at three rates with five seeds, the form
without D-MoC at one rate with five seeds. The file is written after every run, and runs that it
holds are not repeated.

The gradients are those of `detris-mini`, of `detris-s` with the real DINOv2-S, and of `detris-b`.
The towers of `detris-b` have random weights, because its published ones are not in the repository;
its images have 224 pixels instead of 448, which needs a quarter of the memory. The LayerScale of a
random DINOv2-B is 1e-5 and shrinks all gradients of the Dense Aligners alike, so only their ratios
say something. Each row also has the deviations of the initial weights.
"""

import argparse
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from book_config import BOOK, ROOT
from control_rows import write_rows
from first_model_ablations import read_definitions
from torch import Tensor

from risbook.evaluation.result_files import read_result
from risbook.systems.system_preset import BuildInputs
from risbook.systems.system_presets import build_named, system_config
from risbook.towers.build import tokenizer_of

CHAPTER = BOOK / "detris" / "dense_aligner.ipynb"
FOLDER = ROOT / "book" / "results" / "dense-aligner-controls"

#: form, optimizer, learning rate, number of seeds
RUNS = [
    ("without D-MoC", "Adam", 0.003, 5),
    *((form, "Adam", lr, 5) for lr in (0.01, 0.003, 0.001) for form in ("released", "repaired")),
]

#: system, side of its images, number of samples
SYSTEMS = [("detris-mini", 96, 8), ("detris-s", 168, 8), ("detris-b", 224, 4)]
#: the start and the end token of CLIP's vocabulary
START, END = 49406, 49407


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Record the controls of chapter 5.1.")
    parser.add_argument("part", choices=("small-world", "gradients"))
    part = parser.parse_args().part
    torch.set_num_threads(1)
    chapter = read_definitions(CHAPTER)
    path = FOLDER / f"{part}.json"
    if part == "small-world":
        record_world(chapter, path)
    else:
        start = time.process_time()
        rows = record_gradients(chapter)
        write_rows(
            path, rows, tool=__file__, seconds=time.process_time() - start, arguments=[path.stem]
        )


def record_world(
    chapter: Mapping[str, Any],
    path: Path,
    runs: Sequence[tuple[str, str, float, int]] = tuple(RUNS),
    steps: int = 300,
) -> None:
    """Train every run of the small world that the file does not hold; a row per seed."""
    optimizers = {"Adam": torch.optim.Adam, "SGD": torch.optim.SGD}
    rows = read_result(path)["rows"] if path.is_file() else []
    seconds = read_result(path)["seconds"] if path.is_file() else 0.0
    done = {(row["row"], row["optimizer"], row["rate"], row["seed"]) for row in rows}
    for form, optimizer, lr, seeds in runs:
        for seed in range(seeds):
            if (form, optimizer, lr, seed) in done:
                continue
            start = time.process_time()
            options = {"seed": seed, "lr": lr, "optimizer_class": optimizers[optimizer]}
            system = chapter["train_small"](form, steps=steps, **options)
            ious = chapter["ious_of"](chapter["predict_small"](system))
            row = {"row": form, "optimizer": optimizer, "rate": lr, "seed": seed}
            row["set"] = f"small world, {optimizer}, rate {lr:g}"
            columns = ("mean IoU", "A", "B", "C")
            row |= {name: round(iou, 4) for name, iou in zip(columns, ious, strict=True)}
            rows.append(row)
            seconds += time.process_time() - start
            write_rows(path, rows, tool=__file__, seconds=seconds, arguments=[path.stem])
            print(row, flush=True)


def record_gradients(chapter: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Gradients and initial weights of the untrained systems; a row per system and form."""
    rows = []
    for name, image_size, number in SYSTEMS:
        images, masks, sentences = chapter["load_batch"](image_size, number)
        for form in ("released", "repaired"):
            system = build_untrained(name, image_size, repaired=form == "repaired")
            weights = chapter["initial_weights"](system.image_tower.adapters)
            token_ids = system.tokenizer(sentences)
            if name == "detris-b":
                token_ids = to_clip_ids(token_ids)
            sizes = chapter["measure_gradients"](system, images, masks, token_ids)
            row: dict[str, Any] = {"row": name, "form": form, "set": f"{form}, {image_size} pixels"}
            row |= {"gradients": sizes, "initial weights": weights}
            rows.append(row)
            print(row, flush=True)
    return rows


def build_untrained(name: str, image_size: int, *, repaired: bool) -> Any:
    """A system with new adapters; of `detris-b` the towers are random, too."""
    torch.manual_seed(0)
    overrides: dict[str, Any] = {"image_size": image_size, "aligner.add_mixture": repaired}
    inputs = BuildInputs()
    if name == "detris-b":
        overrides["weights"] = "random"
        inputs = BuildInputs(tokenizer=tokenizer_of("clip-mini-40k-text", length=17))
    return build_named(name, system_config(name, overrides), inputs)


def to_clip_ids(token_ids: Tensor) -> Tensor:
    """Give the start and the end token of small vocabulary rows the ids of CLIP's vocabulary."""
    converted = token_ids.clone()
    converted[token_ids == token_ids[:, :1]] = START
    converted[token_ids == token_ids.max()] = END
    return converted


if __name__ == "__main__":
    main()
