"""Weights into a tower, whole or not at all.

A weight too many, one too few or one of another shape is an error that names it.
"""

from collections.abc import Mapping

from torch import Tensor, nn

from risbook.errors import DataError
from risbook.towers.pos_embed import pos_grid_side, resize_clip_pos_embed, resize_dinov2_pos_embed
from risbook.towers.tower_presets import Family
from risbook.towers.weight_conversion import convert

#: what a file may lack: the residual branch of CRIS and ETRIS, which CLIP does not have
NEW_PARTS: dict[Family, tuple[str, ...]] = {"clip-resnet": ("attention_pool.connect",)}

#: the position embeddings of each family, and how many rows stand before those of the patches
_POS_EMBED: dict[Family, tuple[str, int]] = {
    "clip-vit": ("vit.pos_embed", 1),
    "clip-resnet": ("attention_pool.positional_embedding", 1),
    "dinov2": ("vit.pos_embed", 0),
}


def load_weights(
    tower: nn.Module, state: Mapping[str, Tensor], *, family: Family, resize: bool = False
) -> tuple[str, ...]:
    """Put weights in any known form into a tower.

    Args:
        tower: the tower; on the meta device it takes the tensors themselves.
        state: names and values as a file has them; in our own names they are not converted.
        family: the tower's design.
        resize: bring the position embeddings to the tower's grid, by the family's own rule.

    Returns:
        Parts of the tower that the state does not hold; they are left as they are.

    Raises:
        DataError: names the weight that is too many, missing or of another shape.
    """
    wanted = tower.state_dict()
    is_ours = any(name in wanted for name in state)
    weights = dict(state) if is_ours else convert(state, family)
    if surplus := [name for name in weights if name not in wanted]:
        raise DataError(f"a weight too many for this tower: {surplus[0]}")
    if resize:
        _resize_pos_embed(weights, wanted, family)
    # Counts of batches are for averages over all batches, which no tower here uses.
    missing = [n for n in wanted if n not in weights and not n.endswith("num_batches_tracked")]
    absent = tuple(
        part
        for part in NEW_PARTS.get(family, ())
        if any(name.startswith(f"{part}.") for name in missing)
        and not any(name.startswith(f"{part}.") for name in weights)
    )
    missing = [name for name in missing if not name.startswith(tuple(f"{p}." for p in absent))]
    if missing:
        raise DataError(f"a weight is missing: {missing[0]}")
    for name, value in weights.items():
        if value.shape != wanted[name].shape:
            raise DataError(
                f"{name} is {tuple(value.shape)} in the file and {tuple(wanted[name].shape)} in "
                f"the tower{_hint(name, family)}"
            )
    meta = any(value.is_meta for value in wanted.values())
    if meta:
        weights = {
            name: value.to(wanted[name].dtype).contiguous().clone()
            for name, value in weights.items()
        }
    tower.load_state_dict(weights, strict=False, assign=meta)
    return absent


def _hint(name: str, family: Family) -> str:
    if family in _POS_EMBED and name == _POS_EMBED[family][0]:
        return "; give the size wanted as pos_grid= to have it resized"
    return ""


def _resize_pos_embed(
    weights: dict[str, Tensor], wanted: Mapping[str, Tensor], family: Family
) -> None:
    if family not in _POS_EMBED:
        return
    name, prefix = _POS_EMBED[family]
    if name not in weights or weights[name].shape == wanted[name].shape:
        return
    # CLIP's attention pool keeps its embeddings without the leading dimension
    flat = weights[name].ndim == 2
    embedding = weights[name][None] if flat else weights[name]
    side = pos_grid_side(wanted[name][None] if flat else wanted[name], prefix=prefix)
    rule = resize_dinov2_pos_embed if family == "dinov2" else resize_clip_pos_embed
    embedding = rule(embedding, (side, side), prefix=prefix)
    weights[name] = embedding[0] if flat else embedding
