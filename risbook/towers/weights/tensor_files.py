"""Files of weights: names and tensors, read without running code from the file.

Safetensors are read as they are; ``.pt``, ``.pth`` and ``.bin`` files only as tensors
(`torch.load(weights_only=True)`).

A file of weights may come from anybody: a reader downloads it and names it as ``weights=``.
`weights_only` keeps such a file from running code. It does not keep a file of a few kilobytes from
expanding until the memory is full, or from nesting tuples until Python crashes; the checks of
archives and pickles below do.
"""

import hashlib
import pickletools
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from risbook.errors import DataError

#: preferred file names in a folder; otherwise its only file with one of the endings is taken
FILES = (
    "model.safetensors",
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.bin",
    "pytorch_model.bin",
)
ENDINGS = (".safetensors", ".pt", ".pth", ".bin")

#: types of a weight, and the only entries that may be integers: counts and sizes, not weights
DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
INTEGERS = (
    "num_batches_tracked",
    "position_ids",
    "input_resolution",
    "context_length",
    "vocab_size",
)

#: Limits of a pickle of names and tensors. A checkpoint of a thousand tensors has 4,000 tuples and
#: 40,000 opcodes; tuples that are nested deeper than this overflow C's stack.
MOST_TUPLES, MOST_OPCODES = 20_000, 1_000_000


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
        DataError: if it is not such a file, holds more than tensors, or a weight is not a finite
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


def cast_weights(state: Mapping[str, Tensor], dtype: torch.dtype | None) -> dict[str, Tensor]:
    """Names and values as a file is to hold them, on the CPU.

    Args:
        state: names and values.
        dtype: float type of the file; None for that of each value. Integers keep their type.

    Raises:
        DataError: if a value is too large for `dtype`.
    """
    tensors = {name: value.detach().cpu() for name, value in state.items()}
    if dtype is None:
        return tensors
    for name, value in tensors.items():
        if value.is_floating_point():
            tensors[name] = value.to(dtype)
            if not bool(tensors[name].isfinite().all()):
                raise DataError(f"{name} holds values that are not finite in {dtype}")
    return tensors


def _read_torch_file(path: Path) -> Any:
    with path.open("rb") as file:
        is_zip = file.read(4) == b"PK\x03\x04"  # as torch decides
        file.seek(0)
        if is_zip:
            _check_archive(path, file)
        else:
            for _ in range(5):  # the old format: magic number, two headers, tensors, storages
                _check_pickle(path, file)
    return torch.load(path, map_location="cpu", weights_only=True, mmap=is_zip)


def _check_archive(path: Path, file: IO[bytes]) -> None:
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
        if any("/code/" in entry.filename for entry in entries):
            raise DataError(
                f"{path}: a TorchScript archive, as OpenAI publishes CLIP, holds code and is not "
                "opened; use open_clip_model.safetensors of the tower's hub repository instead"
            )
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
            # A few kilobytes of compressed data can expand to fill the memory.
            raise DataError(f"{path}: holds compressed entries, which torch never writes")
        for entry in entries:
            if entry.filename.endswith(".pkl"):
                with archive.open(entry) as pickled:
                    _check_pickle(path, pickled)


def _check_pickle(path: Path, file: IO[bytes]) -> None:
    tuples = 0
    for count, (opcode, _, _) in enumerate(pickletools.genops(file)):
        tuples += "TUPLE" in opcode.name
        if count > MOST_OPCODES or tuples > MOST_TUPLES:
            raise DataError(f"{path}: its list of tensors is too long or too deep to be read")


def check_tensors(state: Mapping[Any, Any], path: str | Path) -> None:
    """Refuse entries that are not weights.

    Args:
        state: names and values as a file holds them.
        path: the file, for messages.

    Raises:
        DataError: names the entry that is not a tensor, not floating-point or not finite.
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


def file_digest(path: Path) -> str:
    """The sha256 of a file, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
