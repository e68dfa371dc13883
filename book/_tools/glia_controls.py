"""Record what chapter 6.1 measures on several seeds and on the real DINOv2.

python book/_tools/glia_controls.py small-world   learning curves of three to five seeds
python book/_tools/glia_controls.py start         the real DINOv2-S with untrained GLiAs

The small world and the training loop are those of the chapter. Each row is one training: the mean
IoU after every 100 steps. The file is written after every run, and runs that it holds are
not repeated.

For the start, DINOv2-S gets untrained GLiAs in the blocks 1, 5 and 9, as released, with three
seeds. A row says how similar its last features are to those without adapters, and in how many
patches of held-out drawn scenes the nearest neighbours find the category.
"""

import argparse
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from book_config import BOOK, ROOT
from control_rows import write_rows
from first_model_ablations import read_definitions

from risbook.adapters.mica_options import CAAConfig, GLiAConfig
from risbook.adapters.mica_placements import add_mica_image_adapters
from risbook.data import open_data
from risbook.evaluation.result_files import read_result
from risbook.pretraining.tower_probes import last_feature_maps, probe_patches, sample_scenes
from risbook.towers.build import build_tower
from risbook.towers.image_transformer import ImageTransformer

CHAPTER = BOOK / "mica" / "glia.ipynb"
FOLDER = ROOT / "book" / "results" / "glia-controls"

#: form, task, learning rate, number of seeds, steps, whether the tokens know their position
Run = tuple[str, str, float, int, int, bool]
RUNS: list[Run] = [
    ("1-D", "vertical", 0.003, 3, 900, True),
    ("no neighbours", "vertical", 0.003, 5, 900, True),
    ("2-D", "vertical", 0.003, 3, 300, True),
    ("1-D", "vertical", 0.003, 3, 900, False),
    ("1-D", "horizontal", 0.003, 3, 300, True),
    ("no neighbours", "horizontal", 0.003, 3, 900, True),
    ("2-D", "horizontal", 0.003, 3, 300, True),
]

TOWER, IMAGE_SIZE = "dinov2-s", 168
TRAIN_SCENES, VAL_SCENES = 60, 30
SEEDS = (0, 1, 2)


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Record the controls of chapter 6.1.")
    parser.add_argument("part", choices=("small-world", "start"))
    part = parser.parse_args().part
    torch.set_num_threads(1)
    path = FOLDER / f"{part}.json"
    if part == "small-world":
        record_world(read_definitions(CHAPTER), path)
    else:
        start = time.process_time()
        write_rows(
            path,
            record_start(),
            tool=__file__,
            seconds=time.process_time() - start,
            arguments=[path.stem],
        )


def record_world(chapter: Mapping[str, Any], path: Path, runs: Sequence[Run] = tuple(RUNS)) -> None:
    """Train every run of the small world that the file does not hold; a row per seed."""
    rows = read_result(path)["rows"] if path.is_file() else []
    seconds = read_result(path)["seconds"] if path.is_file() else 0.0
    keys = ("row", "task", "rate", "seed", "positions")
    done = {tuple(row[key] for key in keys) for row in rows}
    for form, task, lr, seeds, steps, positions in runs:
        for seed in range(seeds):
            if (form, task, lr, seed, positions) in done:
                continue
            start = time.process_time()
            options = {"seed": seed, "lr": lr, "steps": steps, "positions": positions}
            _, ious = chapter["train_small"](form, task, **options)
            row = {"row": form, "task": task, "rate": lr, "seed": seed, "positions": positions}
            row["set"] = f"small world, {task}, rate {lr:g}, positions {positions:d}"
            row["mean IoU"] = [round(iou, 4) for iou in ious]
            rows.append(row)
            seconds += time.process_time() - start
            write_rows(path, rows, tool=__file__, seconds=seconds, arguments=[path.stem])
            print(row, flush=True)


def record_start() -> list[dict[str, Any]]:
    """The real tower without adapters and with untrained GLiAs; a row per seed."""
    data = open_data("refscenes")
    train = sample_scenes(data, ["train"], TRAIN_SCENES)
    val = sample_scenes(data, ["val"], VAL_SCENES)
    images = val.images(IMAGE_SIZE)
    rows: list[dict[str, Any]] = []
    plain = None
    for seed in (None, *SEEDS):
        tower = build_tower(TOWER).requires_grad_(False)
        assert isinstance(tower, ImageTransformer)
        if seed is not None:
            torch.manual_seed(seed)
            without = CAAConfig(blocks=())
            add_mica_image_adapters(tower, GLiAConfig(), without, text_dim=128)
        features = last_feature_maps(tower.eval(), images)
        plain = features if plain is None else plain
        scores = probe_patches(tower, train, val, size=IMAGE_SIZE, label_sets=("kind",))
        (score,) = (s for s in scores if s["on"] == "things" and s["method"] == "knn")
        row: dict[str, Any] = {"row": "no adapter" if seed is None else "GLiA", "seed": seed}
        row["set"] = f"refscenes, {VAL_SCENES} scenes of val, {IMAGE_SIZE} pixels"
        row["cosine"] = round(float(F.cosine_similarity(features, plain, dim=3).mean()), 4)
        rows.append(row | {"score": score})
        print(rows[-1], flush=True)
    return rows


if __name__ == "__main__":
    main()
