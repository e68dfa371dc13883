"""Points of a label study: what the result files hold, paired on the same expressions."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from risbook.errors import DataError
from risbook.evaluation.packed_scores import pack_image_ids, pack_scores
from risbook.studies.label_curves import read_label_points

IMAGE_IDS = np.repeat(np.arange(60), 3).tolist()


def write(folder: Path, key: str, seed: int, ious: Any, **changed: Any) -> None:
    row = {"set": "drawn", "split": "test_seen", "mIoU": float(np.mean(ious))}
    row |= {"ious": pack_scores(ious), "images": pack_image_ids(IMAGE_IDS)}
    about = {
        "command": "risbook study",
        "date": "2026-11-29",
        "device": "CPU",
        "row": key,
        "seed": seed,
        "seconds": 100.0 + seed,
        "settings": {"training": {"steps": 400}},
        "rows": [row],
        **changed,
    }
    (folder / f"{key}-{seed}.json").write_text(json.dumps(about))


def test_points_hold_all_seeds_and_compare_on_the_same_expressions(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    hardness = rng.random(len(IMAGE_IDS)) * 0.8
    for seed in (1, 0):
        noise = 0.02 * rng.random(len(IMAGE_IDS))
        write(tmp_path, "parallel-125", seed, hardness + noise)
        write(tmp_path, "etris-125", seed, hardness + noise + 0.05)
    etris, parallel = read_label_points(tmp_path)
    assert (etris.method, etris.num_images, etris.split) == ("etris", 125, "test_seen")
    assert (etris.seeds, etris.steps, etris.seconds) == ((0, 1), 400, 100.5)
    assert etris.mean().mean == pytest.approx(etris.ious.mean())
    difference = etris.minus(parallel)
    assert difference.mean == pytest.approx(0.05, abs=1e-4)
    assert difference.half_width < 0.01 < etris.mean().half_width
    assert difference.num_images == 60


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no results of a label study"):
        read_label_points(tmp_path)
    ious = np.full(len(IMAGE_IDS), 0.5)
    write(tmp_path, "full-125", 0, ious)
    write(tmp_path, "full-125", 1, ious, settings={"training": {"steps": 800}})
    with pytest.raises(DataError, match="full-125 have different steps"):
        read_label_points(tmp_path)
    write(tmp_path, "stages-all", 0, ious)
    with pytest.raises(DataError, match="'stages-all', not METHOD-IMAGES"):
        read_label_points(tmp_path)
