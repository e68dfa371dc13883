"""A convolution of an enlarged map equals the one that is computed at the small size."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from risbook.layers.enlarged_convolution import convolve_enlarged


def expected_output(feature_map: Tensor, conv: nn.Module) -> Tensor:
    output: Tensor = conv(F.interpolate(feature_map, scale_factor=2, mode="bilinear"))
    return output


@pytest.mark.parametrize("kernel_size", [1, 3, 5])
@pytest.mark.parametrize("size", [(1, 1), (1, 4), (6, 5)])
@pytest.mark.parametrize("bias", [False, True])
def test_output_and_gradients_are_those_of_the_convolution(
    kernel_size: int, size: tuple[int, int], bias: bool
) -> None:
    torch.manual_seed(0)
    # a single position along one side is less than the kernel reaches
    conv = nn.Conv2d(3, 4, kernel_size, padding=kernel_size // 2, bias=bias)
    feature_map = torch.randn(2, 3, *size, requires_grad=True)
    output = convolve_enlarged(feature_map, conv)
    expected = expected_output(feature_map, conv)
    assert torch.allclose(output, expected, atol=1e-5)
    cotangent = torch.randn_like(expected)
    inputs = (feature_map, *conv.parameters())
    gradients = torch.autograd.grad(output, inputs, cotangent)
    for gradient, value in zip(
        gradients, torch.autograd.grad(expected, inputs, cotangent), strict=True
    ):
        assert torch.allclose(gradient, value, atol=1e-4)


@pytest.mark.parametrize(
    "conv",
    [
        nn.Conv2d(4, 4, 3),  # smaller output
        nn.Conv2d(4, 4, 3, padding=1, stride=2),
        nn.Conv2d(4, 4, 3, padding=2, dilation=2),
        nn.Conv2d(4, 4, 3, padding=1, groups=2),
        nn.Conv2d(4, 4, 3, padding="same"),
        nn.Conv2d(4, 4, 2, padding=1),
        nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect"),
        nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.ReLU()),
    ],
    ids=str,
)
def test_every_other_module_sees_the_enlarged_map(conv: nn.Module) -> None:
    torch.manual_seed(0)
    feature_map = torch.randn(2, 4, 6, 5)
    output = convolve_enlarged(feature_map, conv)
    assert torch.equal(output, expected_output(feature_map, conv))


def test_half_precision_is_not_rounded_more_often_than_by_the_convolution() -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(4, 4, 3, padding=1)
    feature_map = torch.randn(2, 4, 6, 5)
    with torch.autocast("cpu", torch.bfloat16):
        output = convolve_enlarged(feature_map, conv)
        assert output.dtype == torch.bfloat16
        assert torch.equal(output, expected_output(feature_map, conv))


def test_what_inference_has_cached_serves_training() -> None:
    conv = nn.Conv2d(2, 2, 3, padding=1)
    feature_map = torch.randn(1, 2, 7, 9)
    with torch.inference_mode():
        convolve_enlarged(feature_map, conv)
    convolve_enlarged(feature_map, conv).sum().backward()
    assert conv.weight.grad is not None
