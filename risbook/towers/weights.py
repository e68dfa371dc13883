"""Weights from a file into a tower, and never by running a stranger's code.

Safetensors are read as they are; ``.pt``, ``.pth`` and ``.bin`` files only as tensors
(`torch.load(weights_only=True)`). A tower takes a file whole or not at all: a weight too many, one
too few or one of another shape is an error that names it.
"""

import hashlib
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from risbook.errors import DataError
from risbook.towers.pos_embed import resize_clip_pos_embed, resize_dinov2_pos_embed, table_side
from risbook.towers.tower_presets import Family
from risbook.towers.weight_conversion import convert

#: file names that go first in a folder; without them its only file with one of the endings
FILES = (
    "model.safetensors",
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.bin",
    "pytorch_model.bin",
)
ENDINGS = (".safetensors", ".pt", ".pth", ".bin")

#: types of a weight, and the only entries that may be integers: counts and sizes, no weights
DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
INTEGERS = (
    "num_batches_tracked",
    "position_ids",
    "input_resolution",
    "context_length",
    "vocab_size",
)

#: what a file may lack: the residual branch of CRIS and ETRIS, which CLIP does not have
NEW_PARTS: dict[Family, tuple[str, ...]] = {"clip-resnet": ("attention_pool.connect",)}

#: the position embeddings of each family, and how many rows stand before those of the patches
_POS_EMBED: dict[Family, tuple[str, int]] = {
    "clip-vit": ("vit.pos_embed", 1),
    "clip-resnet": ("attention_pool.positional_embedding", 1),
    "dinov2": ("vit.pos_embed", 0),
}


def find_file(path: Path) -> Path:
    """The file of weights in a folder, or the file itself.

    Raises:
        DataError: if there is none, or there are several and none has a usual name.
    """
    if path.is_file():
        return path
    if not path.is_dir():
        raise DataError(f"{path}: there is no such file or folder of weights")
    for name in FILES:
        if (path / name).is_file():
            return path / name
    files = sorted(file for file in path.iterdir() if file.suffix in ENDINGS)
    if len(files) != 1:
        count = f"several files ({', '.join(file.name for file in files)})" if files else "no file"
        raise DataError(f"{path}: {count} of weights; name one, ending in {' or '.join(ENDINGS)}")
    return files[0]


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read a file of weights as names and tensors.

    Args:
        path: a ``.safetensors``, ``.pt``, ``.pth`` or ``.bin`` file. A checkpoint's "state_dict"
            or "model" is opened.

    Raises:
        DataError: if it is no such file, holds more than tensors, or a weight is no finite
            floating-point number.
    """
    if path.suffix not in ENDINGS:
        raise DataError(f"{path}: not a file of weights; it has to end in {' or '.join(ENDINGS)}")
    state: Any
    try:
        state = load_file(path) if path.suffix == ".safetensors" else _read_torch_file(path)
    except DataError:
        raise
    except Exception as error:  # damaged and hostile bytes raise nearly everything
        raise DataError(
            f"{path}: not a file of weights that can be read: it is damaged, or holds Python "
            "objects, which are not opened because they can run code; a .safetensors file or a "
            "plain state dict can be read"
        ) from error
    for key in ("state_dict", "model"):
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    if not isinstance(state, dict):
        raise DataError(f"{path}: holds more than names and tensors")
    check_tensors(state, path)
    return dict(state)


def _read_torch_file(path: Path) -> Any:
    is_zip = zipfile.is_zipfile(path)
    if is_zip:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
        if any("/code/" in entry.filename for entry in entries):
            raise DataError(
                f"{path}: a TorchScript archive, as OpenAI publishes CLIP, holds code and is not "
                "opened; use open_clip_model.safetensors of the tower's hub repository instead"
            )
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
            # A few compressed kilobytes can fill the memory.
            raise DataError(f"{path}: holds compressed entries, which torch never writes")
    return torch.load(path, map_location="cpu", weights_only=True, mmap=is_zip)


def check_tensors(state: Mapping[Any, Any], path: str | Path) -> None:
    """Refuse what is no weight.

    Args:
        state: names and values as a file holds them.
        path: the file, for messages.

    Raises:
        DataError: names the entry that is no tensor, no floating-point number or not finite.
    """
    for name, value in state.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise DataError(f"{path}: holds more than names and tensors: {name!r}")
        if value.layout != torch.strided or value.is_quantized:
            raise DataError(f"{path}: {name} is sparse or quantised; weights are plain tensors")
        if value.numel() * value.element_size() > value.untyped_storage().nbytes():
            raise DataError(f"{path}: {name} claims more numbers than the file holds")
        if value.dtype not in DTYPES:
            integer = not value.is_floating_point() and not value.is_complex()
            if integer and name.rpartition(".")[2] in INTEGERS:
                continue
            dtype = str(value.dtype).removeprefix("torch.")
            raise DataError(f"{path}: {name} is of type {dtype}; a weight has to be a float")
        if not bool(value.isfinite().all()):
            raise DataError(f"{path}: {name} holds values that are not finite (NaN or infinite)")


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
        return "; give the size wanted as table= to have it resized"
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
    side = table_side(wanted[name][None] if flat else wanted[name], prefix=prefix)
    rule = resize_dinov2_pos_embed if family == "dinov2" else resize_clip_pos_embed
    embedding = rule(embedding, (side, side), prefix=prefix)
    weights[name] = embedding[0] if flat else embedding


def file_digest(path: Path) -> str:
    """The sha256 of a file, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
