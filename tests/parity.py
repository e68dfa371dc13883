"""What the parity tests share: recorded results of the released codes, and how to compare.

The files lie in ``tests/recordings``; its README says what they are and how they were made. The
environment variable RISBOOK_RECORDINGS may name another folder with files of the same names. A
missing file is an error and never a reason to skip.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

RECORDINGS = Path(os.environ.get("RISBOOK_RECORDINGS") or Path(__file__).parent / "recordings")

#: what the READMEs of the recordings call fair on a processor in float32, absolute and relative
TOLERANCE = 1e-4
#: Some gradients of a whole model are hardly larger than that. So no result may differ by more
#: than this share of its largest value either, unless the values are nothing but rounding.
SHARE, ROUNDING = 1e-3, 1e-7
#: beginnings of the names of what is no result
GIVEN = ("w.", "in.", "grad_probe", "sd/", "in/", "sd_")


class Recording(dict[str, Any]):
    """One recorded file: its numbers as tensors, its strings as numpy has them.

    A test compares by `compare` and ends with `assert_all_compared`; a result that was compared
    with nothing then fails it.

    Args:
        name: kit and file, ``"etris/interactor.npz"``.
        folder: holds the kits.
        atol: absolute tolerance; the relative one is the README's.
    """

    def __init__(self, name: str, *, folder: Path = RECORDINGS, atol: float = TOLERANCE) -> None:
        with np.load(folder / name) as file:
            for key in file.files:
                value = file[key]
                self[key] = torch.tensor(value) if value.dtype.kind in "biuf" else value
        self.atol = atol
        self.compared: set[str] = set()

    def below(self, prefix: str) -> dict[str, Tensor]:
        """The entries below a prefix, under the rest of their names."""
        return below(self, prefix)

    def array(self, name: str) -> npt.NDArray[Any]:
        """One entry as a numpy array."""
        value = self[name]
        return value.numpy() if isinstance(value, Tensor) else value

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of a full-size model's weights, from the entries ``manifest.*``."""
        shapes = zip(self["manifest.names"], self["manifest.shapes"], strict=True)
        return {str(name): _shape_from(str(shape)) for name, shape in shapes}

    def compare(self, name: str, actual: Tensor | None) -> None:
        """Compare one result of ours with the recorded one."""
        assert actual is not None, f"{name}: nothing was computed"
        actual, recorded = actual.detach(), self[name]
        torch.testing.assert_close(
            actual, recorded, atol=self.atol, rtol=TOLERANCE, msg=lambda text: f"{name}: {text}"
        )
        limit = SHARE * float(recorded.abs().max()) + ROUNDING
        assert float((actual - recorded).abs().max()) <= limit, name
        self.compared.add(name)

    def assert_all_compared(self, *besides: str) -> None:
        """Fail if a result was not compared.

        Args:
            besides: names, or their beginnings, that another test compares or that are no results.
        """
        unknown = [prefix for prefix in besides if not any(key.startswith(prefix) for key in self)]
        assert not unknown, f"nothing of that name was recorded: {unknown}"
        left = [name for name in self if not name.startswith((*GIVEN, *besides))]
        left = [name for name in left if name not in self.compared]
        assert not left, f"recorded, and compared with nothing: {left}"


def below(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The entries below a prefix, under the rest of their names."""
    return {key[len(prefix) :]: value for key, value in state.items() if key.startswith(prefix)}


def assert_near(actual: Tensor, expected: Tensor, share: float = 1e-5) -> None:
    """Fail unless the two are equal up to rounding: `share` of the largest recorded value."""
    atol = share * float(expected.abs().max())
    torch.testing.assert_close(actual, expected, atol=atol, rtol=0)


def read_shapes(name: str) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a released system's state, from a file ``state_dict_keys_*.tsv``."""
    lines = (RECORDINGS / name).read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines if not line.startswith("key\t")]
    return {key: _shape_from(shape) for key, shape, *_ in rows}


def outputs_of(module: nn.Module) -> dict[str, Tensor]:
    """The last output of each submodule, by name; filled whenever the module runs."""
    outputs: dict[str, Tensor] = {}
    for name, part in module.named_modules():
        part.register_forward_hook(lambda _, __, out, name=name: outputs.update({name: out}))
    return outputs


def _shape_from(text: str) -> tuple[int, ...]:
    """A shape as the files spell it: "64x3x7x7", "(64, 3, 7, 7)", "scalar" or "()"."""
    sides = text.strip("()").replace("x", ",").split(",") if text != "scalar" else []
    return tuple(int(side) for side in sides if side.strip())
