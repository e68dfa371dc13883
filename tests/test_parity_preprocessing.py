"""Letterbox, way back and metrics equal what the released codes of ETRIS and DETRIS computed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from risbook.data.letterbox import Letterbox, normalise
from risbook.evaluation.original_size import THRESHOLD, predict_mask, probabilities_at_original_size
from risbook.metrics import EPSILON, THRESHOLDS, Scores, shares_above
from risbook.systems.system import target_at

Arrays = Mapping[str, npt.NDArray[Any]]

#: One recorded case under common names: kit, prefix, size of the letterbox.
CASES = [
    ("etris", "s0", 32),
    ("etris", "s1", 32),
    ("etris", "s2", 32),
    ("detris", "tall", 56),
    ("detris", "wide", 56),
]

FILES = {"etris": "etris/data_and_eval.npz", "detris": "detris/preprocess_postprocess.npz"}

#: what is recorded of one case of ETRIS, under common names
ETRIS = {
    "image": "image_rgb_u8", "mask": "mask_u8", "matrix": "mat", "inverse": "mat_inv",
    "warped": "warped_u8", "input": "tensor", "soft": "mask_warped",
    "logits": "logits_8x8", "up": "prob_upsampled_32", "back": "prob_original_size",
    "pred": "pred", "inter": "inter", "union": "union", "iou": "iou",
}  # fmt: skip


def load(shared: Path, kit: str) -> Arrays:
    path = shared / "parity" / FILES[kit]
    if not path.is_file():
        pytest.skip(f"recorded data is not here: {path}")
    with np.load(path) as file:
        return {name: file[name] for name in file.files}


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0]}-{case[1]}")
def case(request: pytest.FixtureRequest, shared: Path) -> dict[str, Any]:
    kit, name, size = request.param
    file = load(shared, kit)
    if kit == "etris":
        arrays: dict[str, Any] = {key: file[f"{name}.{value}"] for key, value in ETRIS.items()}
    else:
        arrays = {key: file[f"in/{name}_{key}"] for key in ("mask", "logits")}
        keys = {
            "warped": "warped_u8", "input": "input", "soft": "mask_warped", "up": "prob_up",
            "back": "prob_back", "pred": "pred", "iou": "iou",
        }  # fmt: skip
        arrays |= {key: file[f"out/{name}_{value}"] for key, value in keys.items()}
        arrays["image"] = file[f"in/{name}_image_rgb"]
        arrays["matrix"], arrays["inverse"] = file[f"out/mat_{name}"], file[f"out/mat_inv_{name}"]
        arrays["inter"], arrays["union"] = file[f"out/{name}_I_U"]
    height, width = arrays["image"].shape[:2]
    return {**arrays, "box": Letterbox(height=height, width=width, size=size)}


def test_parity_of_all_that_etris_recorded(shared: Path) -> None:
    """The tests below look at all of these; a new name would need a look as well."""
    each = [*ETRIS.values(), "mask_train_8x8_nearest"]
    names = {f"{name}.{key}" for kit, name, _ in CASES if kit == "etris" for key in each}
    names |= {f"metric.{key}" for key in ("ious", "pr", "miou")}
    names |= {f"trainmetric.{key}" for key in ("logits", "target", "iou_pct", "pr50_pct")}
    assert set(load(shared, "etris")) == names


def test_parity_letterbox_is_equal_in_every_bit(case: dict[str, Any]) -> None:
    box: Letterbox = case["box"]
    assert np.array_equal(box.matrix, case["matrix"])
    assert np.array_equal(box.inverse, case["inverse"])
    assert np.array_equal(box.image(case["image"]), case["warped"])
    assert np.array_equal(normalise(case["warped"]), case["input"])
    assert np.array_equal(box.mask(case["mask"]), case["soft"])


def test_parity_way_back(case: dict[str, Any]) -> None:
    box: Letterbox = case["box"]
    assert np.abs(box.undo(case["up"]) - case["back"]).max() < 1e-6
    logits = torch.from_numpy(case["logits"])
    answer = probabilities_at_original_size(logits[0, 0], box)
    assert np.abs(answer - case["back"]).max() < 2e-6
    assert np.array_equal(predict_mask(logits, [box])[0], case["pred"])


def test_parity_counts_and_iou(case: dict[str, Any]) -> None:
    mask = predict_mask(torch.from_numpy(case["logits"])[0, 0], case["box"])
    scores = Scores()
    scores.add(1, mask, case["mask"])
    assert list(scores) == [(1, int(case["inter"]), int(case["union"]))]
    iou = scores.summary().miou
    # ETRIS's is recorded in float64, DETRIS's in float32.
    assert case["iou"].dtype.type(iou) == case["iou"]


def test_parity_matrices_for_448(shared: Path) -> None:
    file = load(shared, "detris")
    names = [name for name in file if name.startswith("out/mat448_") and "_inv_" not in name]
    assert len(names) == 6
    for name in names:
        height, width = map(int, name.removeprefix("out/mat448_").split("x"))
        box = Letterbox(height=height, width=width, size=448)
        assert np.array_equal(box.matrix, file[name])
        assert np.array_equal(box.inverse, file[name.replace("mat448_", "mat448_inv_")])


@pytest.mark.parametrize("name", ["s0", "s1", "s2"])
def test_parity_training_target_is_every_fourth_pixel(shared: Path, name: str) -> None:
    file = load(shared, "etris")
    image = file[f"{name}.image_rgb_u8"]
    box = Letterbox(height=image.shape[0], width=image.shape[1], size=32)
    soft = torch.from_numpy(box.mask(file[f"{name}.mask_u8"]))[None, None]
    small = target_at(soft, (8, 8))
    assert np.array_equal(small.numpy(), file[f"{name}.mask_train_8x8_nearest"])


def test_parity_mean_and_precision(shared: Path) -> None:
    file = load(shared, "etris")
    ious = file["metric.ious"].tolist()
    shares = [share for _, share in shares_above(ious, thresholds=THRESHOLDS)]
    # Recorded shares went through float32.
    assert np.array_equal(np.array(shares, np.float32), file["metric.pr"].astype(np.float32))
    # The same list again, as pixel counts that are large enough for 1e-6 not to matter.
    million = 1_000_000_000
    scores = Scores()
    scores.add_counts(
        range(len(ious)), [round(iou * million) for iou in ious], [million] * len(ious)
    )
    summary = scores.summary()
    assert [share for _, share in summary.precision] == shares
    assert abs(summary.miou - float(file["metric.miou"])) < 10 * EPSILON / million


def test_parity_figures_while_training(shared: Path) -> None:
    """The released training logs figures of each batch, at the size of the logits, in percent."""
    file = load(shared, "etris")
    # A pixel counts from the threshold on, and truly where the soft mask is not 0.
    masks = torch.from_numpy(file["trainmetric.logits"]).sigmoid().numpy() >= THRESHOLD
    scores = Scores()
    for number, (mask, target) in enumerate(zip(masks, file["trainmetric.target"], strict=True)):
        scores.add(number, mask, target)
    summary = scores.summary()
    assert 100 * summary.miou == pytest.approx(float(file["trainmetric.iou_pct"]), rel=1e-6)
    assert 100 * summary.precision_at(0.5) == file["trainmetric.pr50_pct"]
