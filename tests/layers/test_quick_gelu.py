"""QuickGELU equals its definition, and so does its derivative."""

import pytest
import torch

from risbook.layers.quick_gelu import QuickGELU


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_it_equals_its_definition(dtype: torch.dtype) -> None:
    x = torch.linspace(-6, 6, 301)
    reference = x.clone().requires_grad_()
    (reference * torch.sigmoid(1.702 * reference)).sum().backward()
    given = x.to(dtype).requires_grad_()
    output = QuickGELU()(given)
    output.sum().backward()
    # bf16 has 8 bits, and z = 1.702 x is rounded to them as well
    tolerance = (
        {"atol": 1e-6, "rtol": 1e-5} if dtype == torch.float32 else {"atol": 0.03, "rtol": 0.01}
    )
    assert torch.allclose(output.float(), x * torch.sigmoid(1.702 * x), **tolerance)
    assert given.grad is not None and reference.grad is not None
    assert torch.allclose(given.grad.float(), reference.grad, **tolerance)


def test_gradients_agree_with_finite_differences() -> None:
    x = torch.randn(7, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(QuickGELU(), (x,))
