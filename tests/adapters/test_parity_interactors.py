"""The two interactors equal the released ones."""

from pathlib import Path

import pytest
import torch
from numpy import load as load_arrays
from torch import Tensor

from risbook.adapters.interactor import Interactor, InteractorT


def arrays(shared: Path, name: str) -> dict[str, Tensor]:
    path = shared / "parity" / "etris" / name
    if not path.is_file():
        pytest.skip(f"recorded data is not here: {path}")
    with load_arrays(path) as file:
        return {key: torch.tensor(file[key]) for key in file.files}


def weights(file: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key.removeprefix("w."): value for key, value in file.items() if key.startswith("w.")}


def close(actual: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(actual, expected, atol=1e-5, rtol=1e-4)


def check_gradients(module: torch.nn.Module, file: dict[str, Tensor]) -> None:
    gradients = {k.removeprefix("grad."): v for k, v in file.items() if k.startswith("grad.")}
    parameters = dict(module.named_parameters())
    checked = [name for name in gradients if name in parameters]
    assert checked
    for name in checked:
        grad = parameters[name].grad
        assert grad is not None, name
        close(grad, gradients[name])


def test_parity_interactor(shared: Path) -> None:
    file = arrays(shared, "interactor.npz")
    module = Interactor(16, 4)
    module.load_state_dict(weights(file), strict=True)
    module.eval()
    target, memory = (file[f"in.{name}"].transpose(0, 1) for name in ("tgt", "memory"))
    record: dict[str, Tensor] = {}
    output = module(target, memory, record=record)
    close(output.transpose(0, 1), file["out"])
    assert record["attention"].shape == (2, 4, 10, 7)
    close(module(target, memory).transpose(0, 1), file["out"])
    (output.transpose(0, 1) * file["grad_probe"]).sum().backward()
    check_gradients(module, file)


@pytest.mark.parametrize("length", [1, 7])
def test_parity_interactor_t(shared: Path, length: int) -> None:
    file = arrays(shared, "interactor_t.npz")
    module = InteractorT(16, 4)
    module.load_state_dict(weights(file), strict=True)
    module.eval()
    target = file["in.tgt"].transpose(0, 1)
    memory = file[f"in.memory_len{length}"].transpose(0, 1)
    output = module(target, memory).transpose(0, 1)
    close(output, file[f"out.len{length}"])
    if length == 1:
        (output * file["grad_probe.len1"]).sum().backward()
        grad = module.multihead_attn.in_proj_weight.grad
        assert grad is not None and float(grad[:32].abs().max()) < 1e-6
        assert float(grad[32:].abs().max()) > 0
