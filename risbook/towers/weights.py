"""Weights from a file, a folder or the hub into a tower, and never by running a stranger's code.

Safetensors are read as they are; ``.pt``, ``.pth`` and ``.bin`` files only as tensors
(`torch.load(weights_only=True)`). A tower takes a file whole or not at all: a weight too many, one
too few or one of another shape is an error that names it.
"""

import hashlib
import zipfile
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from risbook.errors import DataError
from risbook.towers.pos_embed import resize_clip_pos_embed, resize_dinov2_pos_embed, table_side
from risbook.towers.rename_forms import Family
from risbook.towers.renames import rename

#: Files that are looked for in a folder, the first that is there; otherwise the only one of
#: these endings.
FILES = (
    "model.safetensors",
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.bin",
    "pytorch_model.bin",
)
ENDINGS = (".safetensors", ".pt", ".pth", ".bin")

#: What a file may lack: the residual branch of CRIS and ETRIS, which CLIP never had.
NEW_PARTS: dict[Family, tuple[str, ...]] = {"clip-resnet": ("attention_pool.connect",)}

#: The position table of each family, and how many of its rows stand before the squares.
_TABLES: dict[Family, tuple[str, int]] = {
    "clip-vit": ("vit.pos_embed", 1),
    "clip-resnet": ("attention_pool.positional_embedding", 1),
    "dinov2": ("vit.pos_embed", 0),
}


def find_file(where: Path) -> Path:
    """The file of weights in a folder, or the file itself.

    Raises:
        DataError: if there is none, or there are several and none has a usual name.
    """
    if where.is_file():
        return where
    if not where.is_dir():
        raise DataError(f"{where}: there is no such file or folder of weights")
    for name in FILES:
        if (where / name).is_file():
            return where / name
    found = sorted(path for path in where.iterdir() if path.suffix in ENDINGS)
    if len(found) != 1:
        what = f"several files ({', '.join(path.name for path in found)})" if found else "no file"
        raise DataError(f"{where}: {what} of weights; name one, ending in {' or '.join(ENDINGS)}")
    return found[0]


def read_file(path: Path) -> dict[str, Tensor]:
    """Read a file of weights as names and tensors.

    Args:
        path: a ``.safetensors``, ``.pt``, ``.pth`` or ``.bin`` file. A checkpoint's "state_dict"
            or "model" is opened.

    Raises:
        DataError: if it is no such file, or holds more than tensors.
    """
    if path.suffix not in ENDINGS:
        raise DataError(f"{path}: not a file of weights; it has to end in {' or '.join(ENDINGS)}")
    try:
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        _refuse_archive(path)
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=_is_zip(path))
    except (SafetensorError, UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise DataError(f"{path}: not a file of weights that can be read ({reason})") from error
    for key in ("state_dict", "model"):
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in state.items()
    ):
        raise DataError(f"{path}: holds more than names and tensors")
    return dict(state)


def _is_zip(path: Path) -> bool:
    return zipfile.is_zipfile(path)


def _refuse_archive(path: Path) -> None:
    if not _is_zip(path):
        return
    with zipfile.ZipFile(path) as archive:
        scripted = any("/code/" in name for name in archive.namelist())
    if scripted:
        raise DataError(
            f"{path}: a TorchScript archive, as OpenAI publishes CLIP, holds code and is not "
            "opened; use open_clip_model.safetensors of the tower's hub repository instead"
        )


def load_weights(
    tower: nn.Module,
    state: Mapping[str, Tensor],
    *,
    family: Family,
    resize: bool = False,
    prefix: str = "",
) -> tuple[str, ...]:
    """Put weights in any known form into a tower.

    Args:
        tower: the tower; on the meta device it takes the tensors themselves.
        state: names and values as a file has them.
        family: the tower's design.
        resize: bring the position table to the tower's, by the family's own rule.
        prefix: what stands before the names in `state`.

    Returns:
        Parts of the tower that the state does not hold; they are left as they are.

    Raises:
        DataError: names the weight that is too many, missing or of another shape.
    """
    ours = rename(state, family=family, prefix=prefix)
    wanted = tower.state_dict()
    if surplus := [name for name in ours if name not in wanted]:
        raise DataError(f"a weight too many for this tower: {surplus[0]}")
    if resize:
        _resize_table(ours, wanted, family)
    # Counts of batches are for those who average statistics over all of them; nobody does here.
    missing = [n for n in wanted if n not in ours and not n.endswith("num_batches_tracked")]
    absent = tuple(
        part
        for part in NEW_PARTS.get(family, ())
        if any(name.startswith(f"{part}.") for name in missing)
        and not any(name.startswith(f"{part}.") for name in ours)
    )
    missing = [name for name in missing if not name.startswith(tuple(f"{p}." for p in absent))]
    if missing:
        raise DataError(f"a weight is missing: {missing[0]}")
    for name, value in ours.items():
        if value.shape != wanted[name].shape:
            raise DataError(
                f"{name} is {tuple(value.shape)} in the file and {tuple(wanted[name].shape)} in "
                f"the tower{_hint(name, family)}"
            )
    meta = any(value.is_meta for value in wanted.values())
    ready = {
        name: value.to(wanted[name].dtype).contiguous().clone() if meta else value
        for name, value in ours.items()
    }
    tower.load_state_dict(ready, strict=False, assign=meta)
    return absent


def _hint(name: str, family: Family) -> str:
    if family in _TABLES and name == _TABLES[family][0]:
        return "; give the size wanted as table= to have it resized"
    return ""


def _resize_table(ours: dict[str, Tensor], wanted: Mapping[str, Tensor], family: Family) -> None:
    if family not in _TABLES:
        return
    name, prefix = _TABLES[family]
    if name not in ours or ours[name].shape == wanted[name].shape:
        return
    flat = ours[name].ndim == 2
    table = ours[name][None] if flat else ours[name]
    target = wanted[name][None] if flat else wanted[name]
    side = table_side(target, prefix=prefix)
    rule = resize_dinov2_pos_embed if family == "dinov2" else resize_clip_pos_embed
    table = rule(table, (side, side), prefix=prefix)
    ours[name] = table[0] if flat else table


def file_digest(path: Path) -> str:
    """The sha256 of a file, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
