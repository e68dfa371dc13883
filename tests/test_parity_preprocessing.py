"""Letterbox, way back and metrics equal what the released codes of ETRIS and DETRIS computed."""

from typing import Any

import numpy as np
import pytest
import torch
from parity import Recording

from risbook.data.letterbox import Letterbox, normalise
from risbook.metrics import EPSILON, THRESHOLDS, Scores, shares_above
from risbook.systems.losses import resize_target
from risbook.systems.postprocess import THRESHOLD, predict_mask, probabilities_at_original_size

FILES = {"etris": "etris/data_and_eval.npz", "detris": "detris/preprocess_postprocess.npz"}

#: what is recorded of one image, under common names: the beginnings of the names of ETRIS
ETRIS = {
    "image": "image_rgb_u8", "mask": "mask_u8", "matrix": "mat", "inverse": "mat_inv",
    "warped": "warped_u8", "input": "tensor", "soft": "mask_warped", "small": "mask_train_",
    "logits": "logits_", "up": "prob_upsampled_", "back": "prob_original_size",
    "pred": "pred", "inter": "inter", "union": "union", "iou": "iou",
}  # fmt: skip
#: and the names of DETRIS
DETRIS = {
    "image": "in/{}_image_rgb", "mask": "in/{}_mask", "logits": "in/{}_logits",
    "matrix": "out/mat_{}", "inverse": "out/mat_inv_{}", "warped": "out/{}_warped_u8",
    "input": "out/{}_input", "soft": "out/{}_mask_warped", "prob": "out/{}_prob",
    "up": "out/{}_prob_up", "back": "out/{}_prob_back", "pred": "out/{}_pred",
    "counts": "out/{}_I_U", "iou": "out/{}_iou",
}  # fmt: skip


def etris_names(file: Recording, image: str) -> dict[str, str]:
    """Names of the entries of one image; some of them end with a size, as in "logits_8x8"."""
    names = {}
    for key, start in ETRIS.items():
        matching = [name for name in file if name.startswith(f"{image}.{start}")]
        names[key] = f"{image}.{start}" if not start.endswith("_") else matching[0]
    return names


def images_of(kit: str) -> list[str]:
    """The recorded images: "s0", "s1", ... of ETRIS, "tall" and "wide" of DETRIS."""
    names = list(Recording(FILES[kit]))
    if kit == "etris":
        return [name.split(".")[0] for name in names if name.endswith(".image_rgb_u8")]
    end = "_image_rgb"
    return [n.removeprefix("in/").removesuffix(end) for n in names if n.endswith(end)]


CASES = [(kit, image) for kit in FILES for image in images_of(kit)]


@pytest.fixture(params=CASES, ids=lambda case: "-".join(case))
def case(request: pytest.FixtureRequest) -> dict[str, Any]:
    kit, image = request.param
    file = Recording(FILES[kit])
    if kit == "etris":
        names = etris_names(file, image)
    else:
        names = {key: name.format(image) for key, name in DETRIS.items()}
    arrays: dict[str, Any] = {key: file.array(name) for key, name in names.items()}
    if kit == "detris":
        arrays["inter"], arrays["union"] = arrays["counts"]
    height, width = arrays["image"].shape[:2]
    size = arrays["input"].shape[-1]
    return {**arrays, "letterbox": Letterbox(height=height, width=width, size=size)}


def test_parity_of_all_that_was_recorded() -> None:
    """The tests below compare all of these; a new name would need a comparison as well."""
    file = Recording(FILES["etris"])
    names = {name for image in images_of("etris") for name in etris_names(file, image).values()}
    names |= {f"metric.{key}" for key in ("ious", "pr", "miou")}
    names |= {f"trainmetric.{key}" for key in ("logits", "target", "iou_pct", "pr50_pct")}
    assert set(file) == names
    file = Recording(FILES["detris"])
    names = {name.format(image) for image in images_of("detris") for name in DETRIS.values()}
    assert {name for name in file if not name.startswith("out/mat448_")} == names


def test_parity_letterbox_is_equal_in_every_bit(case: dict[str, Any]) -> None:
    letterbox: Letterbox = case["letterbox"]
    assert np.array_equal(letterbox.matrix, case["matrix"])
    assert np.array_equal(letterbox.inverse, case["inverse"])
    assert np.array_equal(letterbox.image(case["image"]), case["warped"])
    assert np.array_equal(normalise(case["warped"]), case["input"])
    assert np.array_equal(letterbox.mask(case["mask"]), case["soft"])


def test_parity_way_back(case: dict[str, Any]) -> None:
    letterbox: Letterbox = case["letterbox"]
    assert np.abs(letterbox.undo(case["up"]) - case["back"]).max() < 1e-6
    logits = torch.from_numpy(case["logits"])
    if "prob" in case:
        assert np.abs(logits.sigmoid().numpy() - case["prob"]).max() < 1e-6
    probabilities = probabilities_at_original_size(logits[0, 0], letterbox)
    assert np.abs(probabilities - case["back"]).max() < 2e-6
    assert np.array_equal(predict_mask(logits, [letterbox])[0], case["pred"])


def test_parity_counts_and_iou(case: dict[str, Any]) -> None:
    mask = predict_mask(torch.from_numpy(case["logits"])[0, 0], case["letterbox"])
    scores = Scores()
    scores.add(1, mask, case["mask"])
    assert list(scores) == [(1, int(case["inter"]), int(case["union"]))]
    iou = scores.summary().miou
    # ETRIS's is recorded in float64, DETRIS's in float32.
    assert case["iou"].dtype.type(iou) == case["iou"]


def test_parity_matrices_for_448() -> None:
    file = Recording(FILES["detris"])
    names = {name for name in file if name.startswith("out/mat448_")}
    direct = {name for name in names if not name.startswith("out/mat448_inv_")}
    assert len(direct) == len(names) / 2 > 0
    for name in direct:
        height, width = map(int, name.removeprefix("out/mat448_").split("x"))
        letterbox = Letterbox(height=height, width=width, size=448)
        assert np.array_equal(letterbox.matrix, file.array(name))
        inverse = file.array(name.replace("mat448_", "mat448_inv_"))
        assert np.array_equal(letterbox.inverse, inverse)


@pytest.mark.parametrize("case", [case for case in CASES if case[0] == "etris"], indirect=True)
def test_parity_training_target_is_nearest(case: dict[str, Any]) -> None:
    soft = torch.from_numpy(case["letterbox"].mask(case["mask"]))[None, None]
    small = resize_target(soft, case["small"].shape[-2:])
    assert np.array_equal(small.numpy(), case["small"])


def test_parity_mean_and_precision() -> None:
    file = Recording(FILES["etris"])
    ious = file.array("metric.ious").tolist()
    shares = [share for _, share in shares_above(ious, thresholds=THRESHOLDS)]
    # Recorded shares went through float32.
    assert np.array_equal(np.array(shares, np.float32), file.array("metric.pr").astype(np.float32))
    # The same list again, as pixel counts that are large enough for 1e-6 not to matter.
    million = 1_000_000_000
    scores = Scores()
    scores.add_counts(
        range(len(ious)), [round(iou * million) for iou in ious], [million] * len(ious)
    )
    summary = scores.summary()
    assert [share for _, share in summary.precision] == shares
    assert abs(summary.miou - float(file["metric.miou"])) < 10 * EPSILON / million


def test_parity_figures_while_training() -> None:
    """The released training logs figures of each batch, at the size of the logits, in percent."""
    file = Recording(FILES["etris"])
    # A pixel counts from the threshold on, and truly where the soft mask is not 0.
    masks = file["trainmetric.logits"].sigmoid().numpy() >= THRESHOLD
    scores = Scores()
    for number, (mask, target) in enumerate(
        zip(masks, file.array("trainmetric.target"), strict=True)
    ):
        scores.add(number, mask, target)
    summary = scores.summary()
    assert 100 * summary.miou == pytest.approx(float(file["trainmetric.iou_pct"]), rel=1e-6)
    assert 100 * summary.precision_at(0.5) == file["trainmetric.pr50_pct"]
