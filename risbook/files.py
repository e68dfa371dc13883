"""Files, read and written whole: half-written ones never count, and errors name the file."""

import json
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from risbook.errors import DataError, RisbookError

if TYPE_CHECKING:
    from torch import Tensor


#: The largest annotation file of COCO has 0.45 GB; nothing that is read whole is larger than this.
MAX_BYTES = 2**30


def read_file(path: Path) -> bytes:
    """Read a file whole; pipes and devices, which may never end, are refused.

    Raises:
        DataError: the file is missing, no regular file, or larger than `MAX_BYTES`.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise DataError(f"{path}: is not a regular file; put the file itself there")
        if status.st_size > MAX_BYTES:
            raise DataError(f"{path}: has {status.st_size:,} bytes; at most {MAX_BYTES:,} are read")
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        DataError: the file is missing or not JSON.
    """
    return parse_json(read_file(path), where=str(path))


def parse_json(text: str | bytes, *, where: str) -> Any:
    """Parse JSON.

    Raises:
        DataError: the text is not JSON; starts with `where`.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise DataError(f"{where}: is not valid JSON (nested too deeply)") from None
    except ValueError as error:
        raise DataError(f"{where}: is not valid JSON ({error})") from error


def cache_folder() -> Path:
    """The folder for what risbook makes once: $RISBOOK_CACHE, or the user's cache folder.

    Raises:
        DataError: if there is no home folder that it could be in.
    """
    try:
        if path := os.environ.get("RISBOOK_CACHE"):
            return Path(path).expanduser()
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "risbook"
    except RuntimeError as error:
        raise DataError(
            "there is no home folder to keep drawn worlds and weights in; "
            "name a folder by the environment variable RISBOOK_CACHE"
        ) from error


def write_error(path: Path, error: OSError) -> RisbookError:
    """What to tell of a file that the disk did not take."""
    reason = error.strerror or str(error)
    return RisbookError(f"{path}: cannot be written ({reason})")


@contextmanager
def write_atomically(path: Path) -> Iterator[Path]:
    """Hand out a temporary path beside `path`, and put it in its place when all went well.

    A process that dies in between leaves the old file as it was. The new content is on the disk
    before the name changes.

    Args:
        path: the file to be written.

    Yields:
        The path to write to.

    Raises:
        RisbookError: if the disk is full or the folder cannot be written to; the old file stays.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        # Some writers make files that only their owner can read.
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)
        temporary.replace(path)
    except OSError as error:
        if error.filename not in (None, str(temporary), temporary):
            raise  # it speaks of another file, and names it
        raise write_error(path, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write a JSON document for people to read as well, whole or not at all."""
    with write_atomically(path) as temporary:
        temporary.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")


def write_safetensors(path: Path, tensors: Mapping[str, "Tensor"]) -> None:
    """Write tensors as safetensors, whole or not at all."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    with write_atomically(path) as temporary:
        try:
            save_file({name: value.contiguous() for name, value in tensors.items()}, temporary)
        except SafetensorError as error:  # in place of an OSError
            raise OSError(str(error)) from error


def write_model_folder(
    folder: Path,
    config: Mapping[str, Any],
    tensors: Mapping[str, "Tensor"],
    *,
    write_tokenizer: Callable[[Path], object] | None = None,
    card: str = "",
) -> None:
    """Write the folder of a system or a tower.

    ``config.json`` is removed first and written last, so a folder that has one is complete, and
    its files belong together. A ``README.md`` that a person wrote stays.

    Args:
        folder: created if it does not exist.
        config: plain values for ``config.json``.
        tensors: for ``model.safetensors``.
        write_tokenizer: writes ``tokenizer.json`` to a path; None for no such file.
        card: text for ``README.md``, whose last line tells that it is generated; "" for none.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").unlink(missing_ok=True)
    write_safetensors(folder / "model.safetensors", tensors)
    if write_tokenizer is not None:
        with write_atomically(folder / "tokenizer.json") as path:
            write_tokenizer(path)
    readme = folder / "README.md"
    if card and (not readme.exists() or _last_line(readme.read_text("utf-8")) == _last_line(card)):
        with write_atomically(readme) as path:
            path.write_text(card, encoding="utf-8")
    write_json(folder / "config.json", config)


def _last_line(text: str) -> str:
    return text.rstrip().rpartition("\n")[2]


def write_torch(path: Path, value: Any) -> None:
    """Write what `torch.load(weights_only=True)` reads, whole or not at all."""
    import torch

    with write_atomically(path) as temporary:
        try:
            # A Python file: given a path, torch hides the system's error behind its own.
            with temporary.open("wb") as file:
                torch.save(value, file)
        except RuntimeError as error:
            if isinstance(error.__context__, OSError):
                raise error.__context__ from error
            raise
