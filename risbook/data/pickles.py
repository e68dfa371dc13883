"""Read a pickle of plain data without running anything that it asks for.

The ``refs(...).p`` files of RefCOCO are pickles, and unpickling normally imports and calls
whatever the file names. Their content has opcodes of its own: lists, dictionaries, text and
numbers. Two steps make reading safe:

1. A scan of the opcodes refuses what such files never hold and what is expensive: memo indices
   beyond the file's length (nine bytes can ask for 32 GB), tuples (a dictionary key of deeply
   nested tuples overflows C's stack), sets, and repeated objects (``DUP``).
2. An unpickler that knows no class, no function and no persistent object reads the rest.
"""

import io
import pickle
import pickletools
import re
from pathlib import Path
from typing import Any, NoReturn

from risbook.errors import DataError
from risbook.files import read_file

#: What pickles of lists, dictionaries, text and numbers are made of, in all protocols.
# fmt: off
_PLAIN = {
    "MARK", "EMPTY_LIST", "LIST", "APPEND", "APPENDS", "EMPTY_DICT", "DICT", "SETITEM", "SETITEMS",
    "NONE", "NEWTRUE", "NEWFALSE", "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4",
    "FLOAT", "BINFLOAT", "STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE",
    "SHORT_BINUNICODE", "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "PUT", "BINPUT",
    "LONG_BINPUT", "MEMOIZE", "GET", "BINGET", "LONG_BINGET", "PROTO", "FRAME",
}
# fmt: on
_OPCODES = {opcode.code.encode("latin-1"): opcode for opcode in pickletools.opcodes}
_NO_ARGUMENT = re.compile(
    b"[%b]*"
    % b"".join(
        re.escape(code)
        for code, opcode in _OPCODES.items()
        if opcode.name in _PLAIN and opcode.arg is None
    )
)
#: The scan ends here: at the end of the pickle, or where the unpickler refuses by name.
_ENDS = {"STOP", "GLOBAL", "STACK_GLOBAL", "INST", "PERSID", "BINPERSID"}

#: An empty list or dictionary takes 64 bytes of memory for its one byte in the file.
_CONTAINERS_PER_BYTE = 1 / 8
_FEW_CONTAINERS = 1000


class _PlainDataUnpickler(pickle.Unpickler):
    """Unpickler that knows no class, no function and no persistent object."""

    def __init__(self, file: io.BytesIO, *, name: str) -> None:
        # Files of Python 2 hold byte strings where text is meant; utf-8 covers ASCII.
        super().__init__(file, encoding="utf-8")
        self._name = name

    def find_class(self, module_name: str, global_name: str, /) -> NoReturn:
        """Refuse a class or function (opcodes GLOBAL, STACK_GLOBAL, INST)."""
        # Names come from the file: keep them short and on one line.
        name = repr(f"{module_name}.{global_name}"[:80])[1:-1]
        raise DataError(
            f"{self._name}: refused to load, because this pickle asks for {name}; a data file "
            "holds plain lists, dictionaries, text and numbers only, so delete it "
            "and fetch it again from a source that you trust"
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
        Lists, dictionaries, text, bytes, numbers, truth values and None.

    Raises:
        DataError: the file is missing, broken, no pickle, or holds anything else.
    """
    path = Path(path)
    content = read_file(path)
    try:
        _scan(content, name=str(path))
        return _PlainDataUnpickler(io.BytesIO(content), name=str(path)).load()
    except DataError:
        raise
    # A broken pickle may raise nearly anything (the pickle module's documentation says so).
    except Exception as error:
        raise DataError(
            f"{path}: is not a complete pickle of plain data ({type(error).__name__}: {error}); "
            f"it has {len(content):,} bytes and starts with {content[:8]!r}"
        ) from error


def _scan(content: bytes, *, name: str) -> None:
    """Refuse opcodes that plain data does not need and arguments that cost memory.

    Raises:
        DataError: the pickle holds such an opcode.
        EOFError, ValueError: the pickle is broken.
    """
    containers = content.count(b"]") + content.count(b"}")
    if containers > _FEW_CONTAINERS + _CONTAINERS_PER_BYTE * len(content):
        raise DataError(
            f"{name}: refused to load, because this pickle of {len(content):,} bytes holds up to "
            f"{containers:,} empty or deeply nested lists and dictionaries"
        )
    stream = io.BytesIO(content)
    while code := stream.read(1):
        if code not in _OPCODES:
            raise ValueError(f"there is no opcode {code!r}")
        opcode = _OPCODES[code]
        if opcode.name in _ENDS:
            return
        if opcode.name not in _PLAIN:
            raise DataError(
                f"{name}: refused to load, because this is no pickle of plain data: at byte "
                f"{stream.tell() - 1:,} stands {opcode.name}, and lists, dictionaries, text and "
                "numbers need none such; write the file with lists in place of tuples and sets, "
                "or as JSON"
            )
        if opcode.arg is None:
            # A loop in Python over megabytes of such opcodes takes seconds, this does not.
            run = _NO_ARGUMENT.match(content, stream.tell())
            assert run is not None  # the pattern matches no byte as well
            stream.seek(run.end())
            continue
        # pickletools would decode a line of text as ASCII, and files of Python 2 hold UTF-8.
        is_line = opcode.arg.n == pickletools.UP_TO_NEWLINE
        argument = stream.readline() if is_line else opcode.arg.reader(stream)
        # The C unpickler allocates 16 bytes for each index of its memo up to this one.
        if opcode.name in ("PUT", "LONG_BINPUT") and int(argument) > len(content):
            raise DataError(
                f"{name}: refused to load, because this pickle of {len(content):,} bytes asks for "
                f"memory for {int(argument):,} objects"
            )
    raise EOFError("the file ends without the opcode STOP")
