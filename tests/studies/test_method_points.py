"""Methods at their best rates: chosen on val, compared on another split."""

import json
from pathlib import Path

import numpy as np
import pytest

from risbook.errors import DataError
from risbook.evaluation.packed_scores import pack_image_ids, pack_scores
from risbook.figures.method_gains import show_method_gains
from risbook.studies.adapter_methods import ADAPTER_METHODS, BEST_RATES, METHOD_RATES
from risbook.studies.few_labels import FEW_LABELS_RATES
from risbook.studies.method_points import read_method_points

IMAGE_IDS = [1, 1, 2, 3]


def write(folder: Path, key: str, seed: int, *, val: float, test: float, tuned: int) -> None:
    rows = []
    for split, miou in (("val", val), ("test_seen", test)):
        ious = {"ious": pack_scores(np.full(4, miou)), "images": pack_image_ids(IMAGE_IDS)}
        rows.append({"set": "drawn", "split": split, "mIoU": miou, **ious})
    about = {"command": "", "date": "2026-11-30", "device": "CPU", "row": key, "seed": seed}
    path = folder / f"{key}-{seed}.json"
    path.write_text(json.dumps({**about, "adapters": tuned, "rows": rows}))


def test_the_rate_is_chosen_on_val_alone(tmp_path: Path) -> None:
    assert read_method_points(tmp_path / "none", "test_seen") == []
    for rate, val, test in (("2e-3", 0.3, 0.9), ("4e-3", 0.5, 0.4), ("8e-3", 0.4, 0.8)):
        write(tmp_path, f"layer-norm-{rate}", 0, val=val, test=test, tuned=7)
    write(tmp_path, "layer-norm-4e-3", 1, val=0.1, test=0.6, tuned=7)
    write(tmp_path, "frozen-4e-3", 0, val=0.2, test=0.3, tuned=0)
    frozen, norms = read_method_points(tmp_path, "test_seen")
    assert (frozen.method, frozen.tuned, frozen.rate_is_inside) == ("frozen", 0, False)
    assert (norms.method, norms.rate, norms.rate_is_inside) == ("layer-norm", "4e-3", True)
    assert norms.seeds == (0, 1)
    assert norms.minus(frozen).mean == pytest.approx(0.2, abs=1e-3)
    with pytest.raises(DataError, match="frozen-4e-3 was not scored on testA"):
        read_method_points(tmp_path, "testA")
    write(tmp_path, "lora-500", 0, val=0.1, test=0.1, tuned=1)
    with pytest.raises(DataError, match="'lora-500', not METHOD-RATE"):
        read_method_points(tmp_path, "val")


def test_shared_methods_are_the_same_runs() -> None:
    assert ADAPTER_METHODS.eval_splits == FEW_LABELS_RATES.eval_splits
    shared = {run.key: run for run in FEW_LABELS_RATES.runs}
    for run in ADAPTER_METHODS.runs:
        if run.key in shared:
            other = shared[run.key]
            assert (run.overrides, run.training) == (other.overrides, other.training)
            assert (run.steps, run.num_images) == (other.steps, other.num_images) == (500, 500)
    assert set(BEST_RATES) <= set(METHOD_RATES)
    for method, rate in BEST_RATES.items():
        assert rate in METHOD_RATES[method]


def test_gains_are_drawn_with_their_intervals() -> None:
    methods = [("lora", 172_032, 2.0, 1.0, 3.0), ("full", 4_863_744, 3.0, 2.5, 3.5)]
    figure = show_method_gains(methods, baseline="frozen", unit="points of mIoU")
    (ax,) = figure.axes
    assert [text.get_text() for text in ax.texts] == ["lora", "full"]
    assert list(ax.lines[1].get_ydata()) == [1.0, 3.0]
    with pytest.raises(DataError, match="at least one weight"):
        show_method_gains([("frozen", 0, 0, 0, 0)], baseline="frozen", unit="points")
