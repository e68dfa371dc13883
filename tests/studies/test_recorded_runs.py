"""Recorded trainings: what is read, which runs are compared, and what is decided."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from risbook.errors import ArgumentError, DataError
from risbook.evaluation.packed_scores import pack_image_ids, pack_scores
from risbook.studies import STUDIES
from risbook.studies.comparisons import REFERENCES, compare_runs, rates_at_an_edge
from risbook.studies.few_labels import BEST_RATES
from risbook.studies.recorded_runs import read_runs
from risbook.studies.result_tables import describe_missing, render_suites, suite_tables
from risbook.studies.seed_intervals import difference_over_seeds, mean_over_seeds, t_quantile

IMAGE_IDS = np.repeat(np.arange(60), 3).tolist()
RESULTS = Path(__file__).resolve().parents[2] / "book" / "results"


def write(
    folder: Path,
    suite: str,
    key: str,
    seed: int,
    miou: Any,
    *,
    images: int = 0,
    rate: float = 0.004,
    **changed: Any,
) -> None:
    """A result file; `miou` is a share, or the IoU of each expression."""
    row: dict[str, Any] = {"set": "drawn", "split": "val", "mIoU": float(np.mean(miou))}
    if np.ndim(miou):
        row |= {"ious": pack_scores(miou), "images": pack_image_ids(IMAGE_IDS)}
    training = {"steps": 400, "batch_size": 16, "learning_rate": rate, "num_images": images}
    about = {
        "command": "risbook study",
        "date": "2026-11-29",
        "device": "CPU",
        "row": key,
        "seed": seed,
        "seconds": 100.0 + seed,
        "tuned": 2000,
        "adapters": 1000,
        "settings": {"training": training},
        "rows": [row],
        **changed,
    }
    path = folder / suite / f"{key}-{seed}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(about))


def test_a_run_has_all_its_seeds(tmp_path: Path) -> None:
    for seed, miou in ((2, 0.32), (0, 0.30), (1, 0.31)):
        write(tmp_path, "etris-pet", "lora", seed, miou)
    [run] = read_runs(tmp_path)["etris-pet"]
    assert (run.seeds, run.num_images, run.steps, run.batch_size) == ((0, 1, 2), 0, 400, 16)
    assert (run.tuned, run.backbone_tuned, run.seconds) == (2000, 1000, 101.0)
    interval = run.scores["drawn:val"].interval()
    assert interval is not None
    assert [round(number, 2) for number in interval] == [31.0, 28.52, 33.48]
    [row], [] = suite_tables([run])
    assert row["mIoU, drawn val"] == "31.0 (28.5 to 33.5)"
    assert (row["images"], row["steps"], row["tuned"]) == ("all", "400 × 16", "2,000")


def test_one_seed_has_no_interval_and_decides_nothing(tmp_path: Path) -> None:
    for key, miou in (("frozen", 0.2), ("lora", 0.9)):
        write(tmp_path, "etris-pet", key, 0, miou)
    runs = read_runs(tmp_path)["etris-pet"]
    rows, [difference] = suite_tables(runs)
    assert [row["mIoU, drawn val"] for row in rows] == ["20.0", "90.0"]
    assert difference == {
        "run": "lora - frozen",
        "split": "drawn val",
        "points": "+70.0",
        "95 % interval": "–",
        "joint interval": "–",
        "verdict": "one seed: undecided",
    }


def test_expressions_are_paired_where_the_files_keep_them(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    hardness = 0.8 * rng.random(len(IMAGE_IDS))
    for seed in range(3):
        noise = 0.02 * rng.random(len(IMAGE_IDS))
        for key, gain in (("frozen", 0.0), ("etris", 0.05), ("full", 0.0), ("parallel", -0.03)):
            ious = np.clip(hardness + noise + gain, 0, 1)
            write(tmp_path, "few-labels", f"{key}-125", seed, ious, images=125)
    differences = compare_runs(read_runs(tmp_path)["few-labels"])
    verdicts = {comparison.run.method: comparison.verdict for comparison in differences}
    assert verdicts == {"etris": "higher", "full": "undecided", "parallel": "lower"}
    [etris] = [comparison for comparison in differences if comparison.run.method == "etris"]
    assert etris.interval is not None and etris.joint is not None
    assert etris.joint.low < etris.interval.low < 5.1 < etris.interval.high + 0.5
    assert etris.interval.high - etris.interval.low < 3  # the images alone would give 12
    assert etris.group_size == 3


def test_runs_are_compared_at_the_same_number_of_images(tmp_path: Path) -> None:
    for images in (125, 500):
        for key in ("frozen", "etris"):
            write(tmp_path, "few-labels", f"{key}-{images}", 0, 0.5, images=images)
    pairs = [(c.run.key, c.reference.key) for c in compare_runs(read_runs(tmp_path)["few-labels"])]
    assert pairs == [("etris-125", "frozen-125"), ("etris-500", "frozen-500")]


def test_each_method_takes_part_with_its_best_rate(tmp_path: Path) -> None:
    for key, miou in (("2e-3", 0.3), ("4e-3", 0.4), ("8e-3", 0.1)):
        write(tmp_path, "etris-rates", f"frozen-{key}", 0, miou, rate=float(key))
        write(tmp_path, "etris-rates", f"full-{key}", 0, 0.5 - miou, rate=float(key))
    runs = read_runs(tmp_path)["etris-rates"]
    [comparison] = compare_runs(runs)
    assert rates_at_an_edge(runs) == ["full-8e-3"]
    assert (comparison.run.key, comparison.reference.key) == ("full-8e-3", "frozen-4e-3")


def test_files_without_a_training_are_left_out(tmp_path: Path) -> None:
    write(tmp_path, "controls", "unchanged", 0, 0.5)
    path = tmp_path / "controls" / "unchanged-0.json"
    path.write_text(path.read_text().replace('"seed": 0', '"seed": null'))
    write(tmp_path, "forgetting", "lora", 0, 0.5, rows=[{"step": 0, "loss": 1.0}])
    assert read_runs(tmp_path) == {}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"settings": {"training": {"steps": 800, "num_images": 0}}}, "seeds differ in steps"),
        ({"tuned": 7}, "seeds differ in tuned parameters"),
    ],
)
def test_seeds_of_other_settings_are_refused(
    changed: dict[str, Any], message: str, tmp_path: Path
) -> None:
    write(tmp_path, "etris-pet", "lora", 0, 0.3)
    write(tmp_path, "etris-pet", "lora", 1, 0.3, **changed)
    with pytest.raises(DataError, match=f"etris-pet, run lora: its {message}"):
        read_runs(tmp_path)


def test_what_is_not_recorded_is_said_in_one_line(tmp_path: Path) -> None:
    write(tmp_path, "etris-zoom", "mlp", 0, 0.3)
    line = describe_missing(read_runs(tmp_path))
    assert "\n" not in line
    assert "etris-zoom, 3 of 4 runs" in line
    assert "etris-pet, 33 of 33 runs" in line
    assert render_suites(tmp_path).endswith(f"{line}\n\n<!-- end of risbook results -->")


def test_committed_results_are_read_and_compared() -> None:
    runs = read_runs(RESULTS)
    assert list(runs)[:4] == list(STUDIES)[:4]
    # Figures of chapter 4.3, by another program.
    joint = {c.run.key: c for c in compare_runs(runs["etris-rates"])}
    interval = joint["etris-8e-3"].interval
    assert interval is not None
    assert [round(number, 1) for number in interval] == [2.0, -2.2, 6.2]
    for suite, members in runs.items():
        if suite in REFERENCES and len(members) > 1:
            assert compare_runs(members), suite


@pytest.mark.parametrize(
    ("degrees", "quantile"), [(1, 12.706), (2, 4.303), (3, 3.182), (4, 2.776), (7, 2.365)]
)
def test_quantiles_are_those_of_printed_tables(degrees: int, quantile: float) -> None:
    assert t_quantile(degrees, 0.95) == pytest.approx(quantile, abs=5e-4)


def test_intervals_need_two_seeds() -> None:
    with pytest.raises(ArgumentError, match="one value has no interval"):
        mean_over_seeds([0.5])
    with pytest.raises(ArgumentError, match="one value has no interval"):
        difference_over_seeds([0.5, 0.6], [0.5])


def test_the_label_study_uses_the_best_recorded_rates() -> None:
    runs = read_runs(RESULTS)["few-labels-rates"]
    for method, rate in BEST_RATES.items():
        means = {
            run.learning_rate: run.scores["refscenes-unseen:val"].mean
            for run in runs
            if run.method == method
        }
        assert max(means, key=means.__getitem__) == float(rate), method
        assert min(means) < float(rate) < max(means), f"the best rate of {method} is at an end"
