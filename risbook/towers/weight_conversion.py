"""Published weights brought to the names of our towers."""

import re
from collections.abc import Mapping

from torch import Tensor

from risbook.errors import DataError
from risbook.towers.tower_families import FAMILIES, tower_family
from risbook.towers.weight_forms import State


def convert(state: Mapping[str, Tensor], family: str) -> State:
    """Bring published weights to the names of our towers.

    Args:
        state: names and values; a name that the form does not explain is kept.
        family: a name of `FAMILIES`, that of the tower that they are for.

    Raises:
        DataError: if no form of this family fits, or half of a pair of weights is missing.

    >>> import torch
    >>> state = {"register_tokens": torch.zeros(1, 4, 8), "norm.weight": torch.ones(8)}
    >>> state |= {"cls_token": torch.zeros(1, 1, 8), "pos_embed": torch.zeros(1, 17, 8)}
    >>> sorted(convert(state, "dinov2"))
    ['vit.cls_token', 'vit.norm.weight', 'vit.pos_embed', 'vit.reg_token']
    """
    design = tower_family(family)
    form = next((form for form in design.forms if form.marker in state), None)
    if form is not None:
        return form.convert(
            {name: value for name, value in state.items() if not re.match(design.ignored, name)}
        )
    others = [
        name for name in FAMILIES if any(form.marker in state for form in FAMILIES[name].forms)
    ]
    if others:
        raise DataError(
            f"these are weights of a {' and '.join(others)} tower, not of a {family} tower"
        )
    owners = ", ".join(form.owner for form in design.forms)
    first = next(iter(state), "none")
    raise DataError(f"names of no known form, as {first}; a {family} tower reads names of {owners}")
