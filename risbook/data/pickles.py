"""Read a pickle of plain data without running anything that it asks for.

The ``refs(...).p`` files of RefCOCO are pickles, and unpickling normally imports and calls
whatever the file names. They need nothing of this: lists, dictionaries, text and numbers have
opcodes of their own. So this reader refuses every name, and with it every call.
"""

import io
import pickle
from pathlib import Path
from typing import Any, NoReturn

from risbook.errors import DataError


class _PlainDataUnpickler(pickle.Unpickler):
    """Unpickler that knows no class, no function and no persistent object.

    Args:
        file: the bytes to read.
        name: the file's name for messages.
    """

    def __init__(self, file: io.BytesIO, *, name: str) -> None:
        # Files of Python 2 hold byte strings where text is meant; utf-8 covers ASCII.
        super().__init__(file, encoding="utf-8")
        self._name = name

    def find_class(self, module_name: str, global_name: str, /) -> NoReturn:
        """Refuse a class or function (opcodes GLOBAL, STACK_GLOBAL, INST, EXT)."""
        raise DataError(
            f"{self._name}: refused to load, because this pickle asks for "
            f"{module_name}.{global_name}; a data file holds plain lists, dictionaries, text and "
            "numbers only, so delete it and fetch it again from a source that you trust"
        )

    def persistent_load(self, pid: Any, /) -> NoReturn:
        """Refuse a persistent object (opcodes PERSID, BINPERSID)."""
        raise DataError(
            f"{self._name}: refused to load, because this pickle asks for the persistent object "
            f"{str(pid)[:80]!r}; a data file holds plain data only"
        )


def read_pickle(path: str | Path) -> Any:
    """Read a pickle that holds plain data only: nothing in it is imported or called.

    Args:
        path: the file; any protocol, also one written by Python 2.

    Returns:
        Lists, tuples, sets, dictionaries, text, bytes, numbers, truth values and None.

    Raises:
        DataError: the file is missing, broken, no pickle, or names a global or a persistent
            object.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error
    try:
        return _PlainDataUnpickler(io.BytesIO(content), name=str(path)).load()
    except DataError:
        raise
    # A broken pickle may raise nearly anything (the pickle module's documentation says so).
    except Exception as error:
        raise DataError(
            f"{path}: is not a complete pickle of plain data ({type(error).__name__}: {error}); "
            f"it has {len(content):,} bytes and starts with {content[:8]!r}"
        ) from error
