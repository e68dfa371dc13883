"""Probes: hand-worked counts, answers on made-up features, and what is left out."""

import pytest
import torch

from risbook.errors import DataError
from risbook.probing.probes import (
    Method,
    ProbeScore,
    fit_linear,
    knn_predict,
    labelled_patches,
    patch_probe,
    probe,
)

NAMES = ("background", "dog", "cat")


def scenes(count: int, seed: int, noise: float = 0.3) -> tuple[torch.Tensor, torch.Tensor]:
    """Features whose first three numbers tell the label, among eight."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(-1, 3, (count, 4, 4), generator=generator)
    features = noise * torch.randn(count, 4, 4, 8, generator=generator)
    features[..., :3] += torch.eye(4)[labels][..., :3]
    return features, labels


def test_figures_by_hand() -> None:
    score = ProbeScore(names=NAMES, confusion=((6, 1, 1), (1, 1, 0), (0, 0, 0)))
    assert score.count == 10
    assert score.accuracy == pytest.approx(0.7)
    assert score.most_frequent == pytest.approx(0.8)
    # The cat never occurs: it weighs nothing in the means, but its false answer costs the others.
    assert score.mean_class_accuracy == pytest.approx((6 / 8 + 1 / 2) / 2)
    assert score.miou == pytest.approx((6 / 9 + 1 / 3) / 2)
    assert list(score.per_class()) == ["background", "dog"]
    assert score.as_dict()["mIoU"] == score.miou


@pytest.mark.parametrize("method", ["linear", "knn"])
def test_readable_features_are_read(method: Method) -> None:
    score = patch_probe(*scenes(30, 0), *scenes(10, 1), names=NAMES, method=method)
    assert score.accuracy > 0.9
    labelled = scenes(10, 1)[1] >= 0
    assert score.count == int(labelled.sum())


@pytest.mark.parametrize("method", ["linear", "knn"])
def test_noise_is_not_read(method: Method) -> None:
    (x, y), (tx, ty) = scenes(30, 0), scenes(10, 1)
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(2))
    other = torch.randn(tx.shape, generator=torch.Generator().manual_seed(3))
    score = patch_probe(noise, y, other, ty, names=NAMES, method=method)
    assert score.mean_class_accuracy < 0.5


def test_probes_give_the_same_answer_twice_and_in_inference_mode() -> None:
    first = patch_probe(*scenes(20, 0), *scenes(5, 1), names=NAMES)
    with torch.inference_mode():
        assert patch_probe(*scenes(20, 0), *scenes(5, 1), names=NAMES) == first


def test_the_linear_map_is_at_its_minimum() -> None:
    x, y = labelled_patches(*scenes(20, 0, noise=1.0))
    fitted = fit_linear(x, y, 3, penalty=0.1)
    inputs = (x - fitted.mean) / fitted.scale
    error = fitted(x).softmax(1) - torch.eye(3)[y]
    slope = inputs.T @ error / len(x) + 0.1 * fitted.weight
    assert slope.abs().max() < 1e-3
    assert error.mean(0).abs().max() < 1e-3


def test_scale_and_shift_of_features_do_not_matter_to_the_linear_probe() -> None:
    (x, y), (tx, ty) = scenes(20, 0), scenes(5, 1)
    plain = patch_probe(x, y, tx, ty, names=NAMES)
    moved = patch_probe(100 * x + 7, y, 100 * tx + 7, ty, names=NAMES)
    assert moved.accuracy == pytest.approx(plain.accuracy, abs=0.03)


def test_nearer_neighbours_weigh_more() -> None:
    train = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    labels = torch.tensor([1, 2, 2])
    query = torch.tensor([[1.0, 0.1]])
    assert knn_predict(train, labels, query, 3).tolist() == [1]
    # At a very high temperature every vote weighs the same, and two beat one.
    assert knn_predict(train, labels, query, 3, temperature=1e6).tolist() == [2]
    assert knn_predict(train, labels, query, 3, temperature=1e6, neighbours=1).tolist() == [1]


def test_as_cases_leaves_out_and_limits() -> None:
    features, labels = scenes(5, 0)
    x, y = labelled_patches(features, labels)
    assert torch.equal(x, features[labels >= 0])
    assert torch.equal(y, labels[labels >= 0])
    few, same = (
        labelled_patches(features, labels, limit=9),
        labelled_patches(features, labels, limit=9),
    )
    assert len(few[1]) == 9
    assert torch.equal(few[0], same[0])


def test_linear_probe_of_whole_images() -> None:
    x, y = torch.eye(3).repeat(5, 1), torch.arange(3).repeat(5)
    score = probe(x, y, x[:3], y[:3], names=NAMES)
    assert score.confusion == ((1, 0, 0), (0, 1, 0), (0, 0, 1))


def test_mistakes_are_told() -> None:
    x, y = torch.ones(4, 2), torch.tensor([0, 1, 2, 0])
    with pytest.raises(DataError, match="do not fit"):
        probe(x, y[:3], x, y, names=NAMES)
    with pytest.raises(DataError, match="no labelled"):
        probe(x, torch.full((4,), -1), x, y, names=NAMES)
    with pytest.raises(DataError, match="label 2"):
        probe(x, y, x, y, names=NAMES[:2])
    with pytest.raises(DataError, match="method"):
        probe(x, y, x, y, names=NAMES, method="forest")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="numbers"):
        probe(x, y, torch.ones(4, 3), y, names=NAMES)
    with pytest.raises(DataError, match="patch features"):
        labelled_patches(torch.ones(2, 3, 3, 4), torch.ones(2, 3, 4).long())
