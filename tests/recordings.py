"""Results that the released ETRIS gave on random weights, and the account of what was compared."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

#: what the recorded files' README calls fair on a processor in float32, absolute and relative
TOLERANCE = 1e-4
#: A whole model's gradients can be hardly larger than that; nothing may differ by more than this
#: share of the largest value either, unless the values are nothing but rounding.
SHARE, ROUNDING = 1e-3, 1e-7
#: beginnings of the names of what is no result
GIVEN = ("w.", "in.", "grad_probe")


class Recording(dict[str, Any]):
    """One recorded file: its numbers as tensors, its words as numpy has them.

    A test compares by `compare` and ends with `assert_all_compared`; a result that nobody looks at
    then fails it.

    Args:
        shared: folder of recorded data.
        name: the file.
        atol: absolute tolerance; the relative one is the README's.
    """

    def __init__(self, shared: Path, name: str, *, atol: float = TOLERANCE) -> None:
        path = shared / "parity" / "etris" / name
        if not path.is_file():
            pytest.skip(f"recorded data is not here: {path}")
        with np.load(path) as file:
            for key in file.files:
                value = file[key]
                self[key] = torch.tensor(value) if value.dtype.kind in "bif" else value
        self.atol = atol
        self.compared: set[str] = set()

    def below(self, prefix: str) -> dict[str, Tensor]:
        """The entries below a prefix, under the rest of their names."""
        return {key[len(prefix) :]: value for key, value in self.items() if key.startswith(prefix)}

    def compare(self, name: str, actual: Tensor | None) -> None:
        """Compare one result of ours with the recorded one."""
        assert actual is not None, f"{name}: there is none"
        actual, recorded = actual.detach(), self[name]
        torch.testing.assert_close(
            actual, recorded, atol=self.atol, rtol=TOLERANCE, msg=lambda text: f"{name}: {text}"
        )
        most = SHARE * float(recorded.abs().max()) + ROUNDING
        assert float((actual - recorded).abs().max()) <= most, name
        self.compared.add(name)

    def assert_all_compared(self, *besides: str) -> None:
        """Fail if a result was not compared.

        Args:
            besides: names, or their beginnings, that another test compares or that are no results.
        """
        unknown = [one for one in besides if not any(name.startswith(one) for name in self)]
        assert not unknown, f"nothing of that name was recorded: {unknown}"
        left = [name for name in self if not name.startswith((*GIVEN, *besides))]
        left = [name for name in left if name not in self.compared]
        assert not left, f"recorded, and compared with nothing: {left}"


def outputs_of(module: nn.Module) -> dict[str, Tensor]:
    """What each submodule gave out last, by name; filled whenever the module runs."""
    outputs: dict[str, Tensor] = {}
    for name, part in module.named_modules():
        part.register_forward_hook(lambda _, __, out, name=name: outputs.update({name: out}))
    return outputs
