"""Load weights into a tower: all of them, or an error.

The error names a weight that is missing, that the tower does not have, or that has another shape.
"""

from collections.abc import Mapping

from torch import Tensor, nn

from risbook.errors import DataError
from risbook.towers.pos_embed import pos_grid_side
from risbook.towers.tower_families import PosEmbedRule, tower_family
from risbook.towers.weight_conversion import convert


def load_weights(
    tower: nn.Module, state: Mapping[str, Tensor], *, family: str, resize: bool = False
) -> tuple[str, ...]:
    """Load weights in any known form into a tower.

    Args:
        tower: the tower; on the meta device it takes the tensors themselves.
        state: names and values of a file; under our own names they are not converted.
        family: a name of `risbook.towers.tower_families.FAMILIES`.
        resize: resize the position embeddings to the tower's grid, by the family's own rule.

    Returns:
        Parts of the tower that the state does not hold; they keep their values.

    Raises:
        DataError: names the weight that is missing, surplus or of another shape.
    """
    design = tower_family(family)
    wanted = tower.state_dict()
    has_own_names = any(name in wanted for name in state)
    weights = dict(state) if has_own_names else convert(state, family)
    if surplus := [name for name in weights if name not in wanted]:
        raise DataError(f"this tower has no weight {surplus[0]}")
    if resize and design.pos_embed is not None:
        _resize_pos_embed(weights, wanted, design.pos_embed)
    # Counts of batches serve cumulative averages; our towers use moving averages.
    missing = [n for n in wanted if n not in weights and not n.endswith("num_batches_tracked")]
    absent = tuple(
        part
        for part in design.new_parts
        if any(name.startswith(f"{part}.") for name in missing)
        and not any(name.startswith(f"{part}.") for name in weights)
    )
    missing = [name for name in missing if not name.startswith(tuple(f"{p}." for p in absent))]
    if missing:
        raise DataError(f"a weight is missing: {missing[0]}")
    for name, value in weights.items():
        if value.shape != wanted[name].shape:
            is_pos_embed = design.pos_embed is not None and name == design.pos_embed.name
            hint = "; give the size wanted as pos_grid= to have it resized" if is_pos_embed else ""
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


def _resize_pos_embed(
    weights: dict[str, Tensor], wanted: Mapping[str, Tensor], rule: PosEmbedRule
) -> None:
    if rule.name not in weights or weights[rule.name].shape == wanted[rule.name].shape:
        return
    # CLIP's attention pool has its embeddings without the leading dimension.
    is_flat = weights[rule.name].ndim == 2
    pos_embed, target = weights[rule.name], wanted[rule.name]
    if is_flat:
        pos_embed, target = pos_embed[None], target[None]
    side = pos_grid_side(target, prefix=rule.prefix)
    pos_embed = rule.resize(pos_embed, (side, side), prefix=rule.prefix)
    weights[rule.name] = pos_embed[0] if is_flat else pos_embed
