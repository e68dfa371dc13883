"""Load weights into a tower: all of them, or an error.

The error names a weight that is missing, that the tower does not have, or that has another shape.
"""

import re
from collections.abc import Mapping

from torch import Tensor

from risbook.errors import DataError
from risbook.towers.published_formats import (
    PUBLISHED_FORMATS,
    State,
    get_published_formats,
)
from risbook.towers.stages import Tower


def load_weights(
    tower: Tower, state: Mapping[str, Tensor], *, family: str, resize: bool = False
) -> tuple[str, ...]:
    """Load weights in any known format into a tower.

    Args:
        tower: the tower; on the meta device it takes the tensors themselves.
        state: names and values of a file; under our own names they are not converted.
        family: a name of `risbook.towers.families.FAMILIES`.
        resize: resize the position embeddings to the image tower's grid, by its own rule.

    Returns:
        Parts of the tower that the state does not hold; they keep their values.

    Raises:
        DataError: names the weight that is missing, surplus or of another shape.
    """
    wanted = tower.state_dict()
    has_own_names = any(name in wanted for name in state)
    weights = dict(state) if has_own_names else convert(state, family)
    if surplus := [name for name in weights if name not in wanted]:
        raise DataError(f"this tower has no weight {surplus[0]}")
    # Batch norms read num_batches_tracked only with momentum=None, which our towers do not have, so
    # a file may leave it out.
    missing = [n for n in wanted if n not in weights and not n.endswith("num_batches_tracked")]
    absent = tuple(
        part
        for part in get_published_formats(family).new_parts
        if any(name.startswith(f"{part}.") for name in missing)
        and not any(name.startswith(f"{part}.") for name in weights)
    )
    missing = [name for name in missing if not name.startswith(tuple(f"{p}." for p in absent))]
    if missing:
        raise DataError(f"a weight is missing: {missing[0]}")
    # "" for a tower without position embeddings
    pos_embed = next((n for n, value in tower.named_parameters() if value is tower.pos_embed), "")
    if resize and pos_embed and tower.modality == "image":
        grid = (tower.pos_grid, tower.pos_grid)
        weights[pos_embed] = tower.resize_pos_embed(weights[pos_embed], grid)
    for name, value in weights.items():
        if value.shape != wanted[name].shape:
            is_resizable = name == pos_embed and tower.modality == "image"
            hint = "; give the size wanted as pos_grid= to have it resized" if is_resizable else ""
            raise DataError(
                f"{name} is {tuple(value.shape)} in the file and {tuple(wanted[name].shape)} in "
                f"the tower{hint}"
            )
    meta = any(value.is_meta for value in wanted.values())
    if meta:
        weights = {
            name: value.to(wanted[name].dtype).contiguous().clone()
            for name, value in weights.items()
        }
    tower.load_state_dict(weights, strict=False, assign=meta)
    return absent


def convert(state: Mapping[str, Tensor], family: str) -> State:
    """Bring published weights to the names of our towers.

    Args:
        state: names and values. A name that no expression of the format fits stays as it is, and
            `load_weights` then refuses it.
        family: that of the tower that they are for.

    Raises:
        DataError: if no format of this family fits, or half of a pair of weights is missing.

    >>> import torch
    >>> state = {"register_tokens": torch.zeros(1, 4, 8), "norm.weight": torch.ones(8)}
    >>> state |= {"cls_token": torch.zeros(1, 1, 8), "pos_embed": torch.zeros(1, 17, 8)}
    >>> sorted(convert(state, "dinov2"))
    ['vit.cls_token', 'vit.norm.weight', 'vit.pos_embed', 'vit.reg_token']
    """
    key_mappings, ignored, _ = get_published_formats(family)
    mapping = next((mapping for mapping in key_mappings if mapping.marker in state), None)
    if mapping is not None:
        if ignored:
            state = {name: value for name, value in state.items() if not re.match(ignored, name)}
        return mapping.convert(state)
    others = [
        name
        for name, formats in PUBLISHED_FORMATS.items()
        if any(mapping.marker in state for mapping in formats.key_mappings)
    ]
    if others:
        raise DataError(
            f"these are weights of a {' and '.join(others)} tower, not of a {family} tower"
        )
    owners = ", ".join(dict.fromkeys(mapping.owner for mapping in key_mappings)) or "its own class"
    first = next(iter(state), "none")
    raise DataError(f"names of no known form, as {first}; a {family} tower reads names of {owners}")
