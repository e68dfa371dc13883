"""The generic methods in one table, and one function that applies one of them to a tower.

    tower = tune(build_tower("dinov2-mini"), "houlsby", hidden=16)

Frozen and full tuning are the two ends between which the others lie.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from torch import nn

from risbook.adapters.adaptformer import add_adaptformer
from risbook.adapters.bitfit import tune_biases
from risbook.adapters.houlsby import add_houlsby
from risbook.adapters.layer_norms import tune_norms
from risbook.adapters.lora import PROJECTIONS, add_lora
from risbook.adapters.parallel import add_parallel
from risbook.adapters.prompts import add_deep_prompts, add_shallow_prompts
from risbook.errors import DataError
from risbook.towers.freezing import freeze
from risbook.towers.image_transformer import ImageTransformer
from risbook.towers.text_transformer import TextTransformer

TowerT = TypeVar("TowerT", bound=nn.Module)

ANY: tuple[type[nn.Module], ...] = (nn.Module,)
TRANSFORMERS: tuple[type[nn.Module], ...] = (ImageTransformer, TextTransformer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A way of tuning a tower.

    Args:
        summary: one line for tables.
        source: the paper that it is from.
        function: applies it to a frozen tower, in place; its keyword arguments are the options.
        towers: classes of the towers that it works on.
    """

    summary: str
    source: str
    function: Callable[..., object]
    towers: tuple[type[nn.Module], ...] = TRANSFORMERS

    @property
    def options(self) -> dict[str, Any]:
        """Names of the options, and what they are if nothing is said."""
        return {
            name: parameter.default
            for name, parameter in inspect.signature(self.function).parameters.items()
            if parameter.kind is inspect.Parameter.KEYWORD_ONLY
        }


def _leave_frozen(tower: nn.Module) -> None:
    """Nothing learns."""


def _tune_all(tower: nn.Module) -> None:
    tower.requires_grad_(True)


METHODS: dict[str, Method] = {
    "frozen": Method(
        summary="nothing of the tower learns",
        source="the lower end",
        function=_leave_frozen,
        towers=ANY,
    ),
    "full": Method(
        summary="every parameter of the tower learns",
        source="the upper end",
        function=_tune_all,
        towers=ANY,
    ),
    "houlsby": Method(
        summary="a bottleneck behind attention and MLP of every block",
        source="Houlsby et al., 2019",
        function=add_houlsby,
    ),
    "parallel": Method(
        summary="a bottleneck beside attention and MLP of every block",
        source="He et al., 2022",
        function=add_parallel,
    ),
    "adaptformer": Method(
        summary="a bottleneck beside the MLP of every block, at a tenth of its strength",
        source="Chen et al., 2022",
        function=add_adaptformer,
    ),
    "bitfit": Method(
        summary="the biases learn",
        source="Ben Zaken et al., 2022",
        function=tune_biases,
        towers=ANY,
    ),
    "layer-norm": Method(
        summary="the norms learn",
        source="Qi et al., 2022",
        function=tune_norms,
        towers=ANY,
    ),
    "prompts": Method(
        summary="learned tokens among the others, put in at the first block",
        source="Jia et al., 2022 (images); Zhou et al., 2022 (text)",
        function=add_shallow_prompts,
    ),
    "prompts-deep": Method(
        summary="learned tokens among the others, new ones at every block",
        source="Jia et al., 2022",
        function=add_deep_prompts,
    ),
    "lora": Method(
        summary="a low-rank change of the attention's projections",
        source="Hu et al., 2022",
        function=add_lora,
        towers=tuple(PROJECTIONS),
    ),
}


def tune(tower: TowerT, method: str, **options: Any) -> TowerT:
    """Freeze a tower and apply one method to it, in place.

    The tower has its weights already; it is left in evaluation mode. Adapters that were attached
    to it before stay where they are and are frozen with it.

    Args:
        tower: the tower.
        method: a name of `METHODS`.
        options: keyword arguments of the method's function, for instance ``hidden=16``.

    Returns:
        The tower itself.

    Raises:
        DataError: if there is no such method or option, the option cannot have this value, or the
            method cannot work on this tower.

    >>> tower = tune(nn.Linear(3, 2), "bitfit")
    >>> [parameter.requires_grad for parameter in tower.parameters()]
    [False, True]
    """
    if method not in METHODS:
        raise DataError(f'no tuning method "{method}": choose one of {", ".join(METHODS)}')
    chosen = METHODS[method]
    if not isinstance(tower, chosen.towers):
        works_on = ", ".join(one.__name__ for one in chosen.towers)
        possible = ", ".join(name for name, one in METHODS.items() if isinstance(tower, one.towers))
        raise DataError(
            f'tuning method "{method}" works on {works_on}, not on {type(tower).__name__}, '
            f"for which there are {possible}"
        )
    if unknown := [name for name in options if name not in chosen.options]:
        known = f"its options are {', '.join(chosen.options)}" if chosen.options else "it has none"
        raise DataError(f'tuning method "{method}" has no option "{unknown[0]}": {known}')
    freeze(tower)
    try:
        chosen.function(tower, **options)
    except (TypeError, ValueError) as error:  # a word for a number, a number for a list
        given = ", ".join(f"{name}={value!r}" for name, value in options.items())
        usual = ", ".join(f"{name}={value!r}" for name, value in chosen.options.items())
        raise DataError(
            f'tuning method "{method}" cannot work with {given} ({error}); usual are {usual}'
        ) from error
    return tower.eval()
