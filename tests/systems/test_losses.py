"""The loss of the released codes: its target and its value by hand."""

import torch
import torch.nn.functional as F

from risbook.systems import FirstModel
from risbook.systems.losses import cross_entropy_dice, mask_cross_entropy, resize_target


def test_the_target_of_a_logit_is_pixel_4i_4j() -> None:
    mask = torch.arange(64.0).reshape(1, 1, 8, 8)
    assert resize_target(mask, (2, 2)).flatten().tolist() == [0, 4, 32, 36]


def test_corners_are_sampled_where_the_enlargement_puts_the_logits() -> None:
    ramp = torch.arange(9.0).expand(1, 1, 9, 9)
    target = resize_target(ramp, (3, 3), sampling="corners")
    assert target[0, 0, 0].tolist() == [0, 4, 8]
    enlarged = F.interpolate(target, size=(9, 9), mode="bilinear", align_corners=True)
    assert torch.allclose(enlarged, ramp)
    nearest = resize_target(ramp, (3, 3))
    shifted = F.interpolate(nearest, size=(9, 9), mode="bilinear", align_corners=True)
    assert float((ramp - shifted).max()) == 2  # s - 1


def test_the_loss_is_mean_binary_cross_entropy() -> None:
    logits = torch.tensor([[[[0.0, 2.0], [-1.0, 3.0]]]])
    mask = torch.tensor([[[[1.0, 1.0], [0.0, 0.5]]]])
    p = logits.sigmoid()
    by_hand = -(mask * p.log() + (1 - mask) * (1 - p).log()).mean()
    torch.testing.assert_close(mask_cross_entropy(logits, mask), by_hand)


def test_the_mask_is_resized_and_the_loss_is_float32() -> None:
    mask = torch.rand(2, 1, 8, 8)
    logits = torch.randn(2, 1, 2, 2, dtype=torch.bfloat16)
    loss = FirstModel.loss(None, logits, mask)  # type: ignore[arg-type]
    assert loss.dtype == torch.float32 and loss.ndim == 0
    assert loss == mask_cross_entropy(logits, resize_target(mask, (2, 2)))


def test_cross_entropy_and_dice_are_summed() -> None:
    losses = cross_entropy_dice(torch.randn(2, 1, 4, 4), torch.rand(2, 1, 4, 4).round())
    assert losses["loss"] == losses["cross_entropy"] + losses["dice"]
