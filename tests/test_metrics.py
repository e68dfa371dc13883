"""Metrics: by hand, against pycocotools, in large numbers, and over several processes."""

import os
import random
import socket
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from pycocotools import mask as coco_mask
from torch.multiprocessing.spawn import spawn
from torch.utils.data import DistributedSampler

from risbook.errors import DataError
from risbook.metrics import Row, Scores, iou, miou, oiou, precision_at, shares_above


def scores_of(*rows: Row) -> Scores:
    scores = Scores()
    for row in rows:
        scores.add_counts(*([value] for value in row))
    return scores


def test_by_hand() -> None:
    truth = np.zeros((4, 4), np.bool_)
    truth[:2, :2] = True
    shifted = np.roll(truth, 1, axis=1)
    scores = Scores()
    scores.add(1, truth, truth)  # 4 of 4
    scores.add(2, shifted, truth)  # 2 of 6
    scores.add(3, ~truth, truth)  # 0 of 16
    scores.add(4, np.ones((4, 4)), truth * 255)  # 4 of 16
    assert list(scores) == [(1, 4, 4), (2, 2, 6), (3, 0, 16), (4, 4, 16)]
    summary = scores.summary()
    assert summary.count == len(scores) == 4
    assert summary.miou == pytest.approx((1 + 2 / 6 + 0 + 4 / 16) / 4, abs=1e-6)
    assert summary.oiou == 10 / 42
    assert summary.precision == tuple((x, 0.25) for x in (0.5, 0.6, 0.7, 0.8, 0.9))
    assert list(summary.as_dict()) == [
        "count", "mIoU", "oIoU", "Pr@0.5", "Pr@0.6", "Pr@0.7", "Pr@0.8", "Pr@0.9",
    ]  # fmt: skip
    assert summary.as_dict()["oIoU"] == summary.oiou


def test_miou_and_oiou_are_two_things() -> None:
    small_good, large_bad = (1, 9, 10), (2, 1000, 10000)
    summary = scores_of(small_good, large_bad).summary()
    assert summary.miou == pytest.approx(0.5)
    assert summary.oiou == 1009 / 10010


def test_epsilon_is_in_the_union() -> None:
    assert scores_of((1, 1, 1)).summary().miou == 1 / (1 + 1e-6)


def test_both_masks_empty() -> None:
    empty = np.zeros((3, 3), np.bool_)
    scores = Scores()
    scores.add(1, empty, empty)
    assert list(scores) == [(1, 0, 0)]
    for empty_scores, expected in (("zero", 0.0), ("one", 1.0)):
        summary = scores.summary(empty=empty_scores)  # type: ignore[arg-type]
        assert summary.miou == summary.oiou == summary.precision_at(0.9) == expected
    scores.add(2, ~empty, ~empty)
    assert scores.summary().miou == pytest.approx(0.5)
    assert scores.summary(empty="one").miou == pytest.approx(1)
    assert scores.summary(empty="one").oiou == 1


def test_strict_and_not_strict() -> None:
    half = scores_of((1, 1, 2), (2, 3, 4))
    assert half.summary().precision_at(0.5) == 0.5
    assert half.summary(strict=False).precision_at(0.5) == 1
    assert shares_above([0.5], thresholds=[0.5]) == ((0.5, 0.0),)
    assert shares_above([0.5], thresholds=[0.5], strict=False) == ((0.5, 1.0),)


def test_strict_thresholds_are_float32() -> None:
    exact = [0.5, 0.6, 0.7, 0.8, 0.9]
    counted = [shares_above([x], thresholds=[x])[0][1] for x in exact]
    assert counted == [0, 0, 1, 0, 1]
    # The 1e-6 in the union decides for small objects.
    assert scores_of((1, 7, 10)).summary().precision_at(0.7) == 0
    assert scores_of((1, 7000, 10000)).summary().precision_at(0.7) == 1
    # Without it and in float64, every exact share counts.
    for parts in (5, 6, 7, 8, 9):
        summary = scores_of((1, parts, 10)).summary(strict=False)
        assert summary.precision_at(parts / 10) == 1


def test_own_thresholds() -> None:
    summary = scores_of((1, 3, 4)).summary(thresholds=[0.25, 0.74, 0.76])
    assert summary.precision == ((0.25, 1.0), (0.74, 1.0), (0.76, 0.0))
    with pytest.raises(DataError, match=r"no Pr@0\.5"):
        summary.precision_at(0.5)


def test_same_iou_as_pycocotools() -> None:
    generator = np.random.default_rng(0)
    for trial in range(50):
        shape = generator.integers(1, 40, 2)
        prediction = generator.random(shape) < generator.random()
        truth = generator.random(shape) < generator.random()
        truth[0, 0] = True
        runs = [
            coco_mask.encode(np.asfortranarray(m.astype(np.uint8))) for m in (prediction, truth)
        ]
        expected = coco_mask.iou(runs[:1], runs[1:], [0]).item()
        scores = Scores()
        scores.add(trial, prediction, truth)
        ((_, inter, union),) = scores
        assert inter / union == pytest.approx(expected, abs=1e-15)
        assert scores.summary().miou == pytest.approx(expected, abs=2e-6)


def test_properties_of_random_scores() -> None:
    generator = random.Random(1)
    for _ in range(100):
        rows = []
        for name in range(generator.randint(1, 30)):
            union = generator.randint(1, 10 ** generator.randint(1, 6))
            rows.append((name, generator.randint(0, union), union))
        summary = scores_of(*rows).summary()
        exact = [Fraction(i, u) for _, i, u in rows]
        low, high = float(min(exact)), float(max(exact))
        assert low - 1e-6 <= summary.miou <= high
        assert low <= summary.oiou <= high
        assert abs(summary.miou - sum(exact) / len(exact)) < 1e-6
        shares = [share for _, share in summary.precision]
        assert shares == sorted(shares, reverse=True)
        for threshold, share in summary.precision:
            assert summary.miou >= threshold * share - 1e-6  # Markov's inequality
        # The order of adding, and any way of cutting the list, changes nothing.
        generator.shuffle(rows)
        cut = generator.randint(0, len(rows))
        first, second = scores_of(*rows[:cut]), scores_of(*rows[max(0, cut - 2) :])
        first.merge(second)
        assert first == scores_of(*rows)
        assert first.summary() == summary


def test_sums_above_float32_keep_every_pixel() -> None:
    # In float32 2**24 + 1 is 2**24, so a sum of these would stand still.
    scores = scores_of((0, 2**24, 2**24), *((name, 1, 3) for name in range(1, 1001)))
    assert scores.summary().oiou == (2**24 + 1000) / (2**24 + 3000)
    huge = scores_of(*((name, 2**60 + name, 2**61) for name in range(20)))
    assert huge.summary().oiou == (20 * 2**60 + 190) / (20 * 2**61)


def test_numpy_and_torch_counts_are_taken() -> None:
    scores = Scores()
    scores.add_counts(
        np.array([4, 5]),  # type: ignore[arg-type]
        torch.tensor([1, 2]),  # type: ignore[arg-type]
        np.array([3, 3], np.uint8),  # type: ignore[arg-type]
    )
    assert list(scores) == [(4, 1, 3), (5, 2, 3)]
    assert all(type(value) is int for row in scores for value in row)


def test_mistakes_are_named() -> None:
    scores = scores_of((1, 2, 3))
    with pytest.raises(DataError, match="no expression"):
        Scores().summary()
    with pytest.raises(DataError, match="expression 1 was scored twice"):
        scores.add_counts([1], [1], [3])
    with pytest.raises(DataError, match="expression 1 was scored twice"):
        scores.merge(scores_of((1, 2, 4)))
    with pytest.raises(DataError, match="no pixel counts"):
        scores.add_counts([2], [4], [3])
    with pytest.raises(DataError, match="whole numbers"):
        scores.add_counts([2], [0.5], [3])  # type: ignore[list-item]
    with pytest.raises(DataError, match="as many"):
        scores.add_counts([2, 3], [1], [3])
    with pytest.raises(DataError, match="own resolution"):
        scores.add(2, np.ones((2, 3)), np.ones((3, 2)))
    with pytest.raises(DataError, match="empty must be"):
        scores.summary(empty="half")  # type: ignore[arg-type]
    assert list(scores) == [(1, 2, 3)]


# Two predictions of 2 x 3 pixels: the first has 1 of 3 pixels right, the second 3 of 4.
PRED = np.array([[[1, 1, 0], [0, 0, 0]], [[1, 1, 1], [0, 0, 0]]], np.bool_)
TARGET = np.array([[[0, 1, 1], [0, 0, 0]], [[1, 1, 1], [1, 0, 0]]], np.bool_)


def test_first_guesses_by_hand() -> None:
    assert miou(PRED, TARGET) == pytest.approx((1 / 3 + 3 / 4) / 2, abs=1e-6)
    assert oiou(PRED, TARGET) == 4 / 7
    assert precision_at(PRED, TARGET, 0.5) == 0.5
    assert precision_at(PRED, TARGET, [0.2, 0.5, 0.9]) == {0.2: 1.0, 0.5: 0.5, 0.9: 0.0}
    assert list(precision_at(PRED, TARGET)) == [0.5, 0.6, 0.7, 0.8, 0.9]
    assert precision_at(PRED[1], TARGET[1], 0.7) == 1
    assert iou(PRED[1], TARGET[1]) == miou(PRED[1], TARGET[1]) == pytest.approx(3 / 4, abs=1e-6)
    with pytest.raises(DataError, match="one pair of masks, got 2; use miou"):
        iou(PRED, TARGET)
    scores = Scores()
    for index in range(2):
        scores.add(index, PRED[index], TARGET[index])
    assert scores.summary().miou == miou(PRED, TARGET)


@pytest.mark.parametrize(
    "convert",
    [
        lambda masks: masks,
        lambda masks: list(masks),
        lambda masks: tuple(torch.from_numpy(masks)),
        lambda masks: masks.tolist(),
        lambda masks: masks.astype(np.uint8) * 255,
        lambda masks: masks.astype(np.int64),
        lambda masks: masks.astype(np.float16),
        lambda masks: torch.from_numpy(masks)[:, None],
        lambda masks: torch.from_numpy(masks).bfloat16().requires_grad_(),
        lambda masks: [masks[:1], masks[1]],  # batches in a list
        lambda masks: [Image.fromarray(mask) for mask in masks],
    ],
)
def test_masks_of_any_usual_kind(convert: Callable[[Any], Any]) -> None:
    assert oiou(convert(PRED), TARGET) == oiou(PRED, convert(TARGET)) == 4 / 7
    assert miou(convert(PRED), convert(TARGET)) == miou(PRED, TARGET)


def test_images_of_different_sizes() -> None:
    pred = [np.ones((2, 2), np.bool_), np.ones((3, 5), np.bool_)]
    target = [np.ones((2, 2), np.bool_), np.zeros((3, 5), np.bool_)]
    assert oiou(pred, target) == 4 / 19


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_tensors_on_a_gpu() -> None:
    pred, target = torch.from_numpy(PRED).cuda(), torch.from_numpy(TARGET).cuda()
    assert oiou(pred, target) == oiou(list(pred), TARGET) == 4 / 7


@pytest.mark.parametrize(
    ("pred", "message"),
    [
        (PRED * 0.7, r"pred holds .*threshold it first, for instance pred > 0\.35"),
        (PRED * np.nan, "threshold it first"),
        (torch.from_numpy(PRED) * 4.0 - 2.0, "threshold it first"),
        (PRED.astype(np.int64) * 7, "pred == 7"),
        (PRED[:1], "pred holds 1 masks, target 2"),
        ([], "pred holds 0 masks"),
        (PRED[:, :, :2], r"mask 0: pred is \(2, 2\), target \(2, 3\); bring pred"),
        (PRED[0, 0], r"pred is bool \(3,\), not a mask"),
        ([[1, 0], [1]], r"masks must be \(H, W\)"),
        ([[[1, 0], [1]]] * 2, r"masks must be \(H, W\)"),
        ("mask.png", "pred is .*not a mask"),
        (None, "pred is .*not a mask"),
    ],
)
def test_what_is_no_mask_is_refused_in_one_line(pred: Any, message: str) -> None:
    for metric in (miou, oiou, precision_at):
        with pytest.raises(DataError, match=message) as caught:
            metric(pred, TARGET)
        assert "\n" not in str(caught.value)


COUNT = 7


def case(index: int) -> tuple[int, np.ndarray, np.ndarray]:
    """Id, prediction and truth of a case; the same in every process."""
    generator = np.random.default_rng(index)
    return 100 + index, generator.random((9, 7)) < 0.5, generator.random((9, 7)) < 0.4


def score_a_shard(rank: int, world: int, port: int, folder: str) -> None:
    """One process of the distributed test."""
    os.environ |= {
        "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(world),
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    from accelerate import Accelerator
    from accelerate.utils import gather_object

    accelerator = Accelerator(cpu=True)
    assert accelerator.num_processes == world
    # Seven cases for two processes: the sampler repeats one to give both as many.
    sampler: DistributedSampler[int] = DistributedSampler(
        range(COUNT),  # type: ignore[arg-type]
        world,
        rank,
        shuffle=False,
    )
    scores = Scores()
    for index in sampler:
        scores.add(*case(index))
    together = scores.gathered(gather_object)
    rows = [[len(list(sampler)), 0, 0], *map(list, together)]
    np.save(Path(folder) / f"{rank}.npy", np.array(rows, np.int64))
    torch.distributed.destroy_process_group()


def test_two_processes_give_exactly_what_one_gives(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    spawn(score_a_shard, args=(2, port, str(tmp_path)), nprocs=2)  # type: ignore[no-untyped-call]
    alone = Scores()
    for index in range(COUNT):
        alone.add(*case(index))
    padded = 0
    for rank in range(2):
        shard, *rows = np.load(tmp_path / f"{rank}.npy").tolist()
        padded += shard[0]
        together = scores_of(*map(tuple, rows))
        assert together == alone
        assert together.summary() == alone.summary()
    assert padded == COUNT + 1


def test_a_conflict_between_processes_is_no_silent_choice() -> None:
    mine, other = scores_of((1, 2, 3), (2, 1, 1)), scores_of((2, 0, 1))
    with pytest.raises(DataError, match="expression 2"):
        mine.gathered(lambda rows: [*rows, *other])
    assert mine.gathered(lambda rows: [*rows, (2, 1, 1), (3, 0, 5)]) == scores_of(
        (1, 2, 3), (2, 1, 1), (3, 0, 5)
    )
