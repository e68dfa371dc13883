"""The pickle reader takes plain data and runs nothing."""

import os
import pickle
import pickletools
import time
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest

from risbook.data.pickles import read_pickle
from risbook.errors import DataError


class Command:
    """Pickles to a call of os.system that leaves a marker file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (f"touch '{self.marker}'",)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "refs(unc).p"


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_data_of_every_protocol(file: Path, protocol: int) -> None:
    data = [{"a": 1, "b": [2.5, None, True], "c": "zażółć", "d": [2**70, -1]}, {}]
    file.write_bytes(pickle.dumps(data, protocol=protocol))
    assert read_pickle(file) == data
    assert read_pickle(str(file)) == data


def test_python_2_text_becomes_text(file: Path) -> None:
    # Protocol 2 of Python 2 writes str as SHORT_BINSTRING (U), BINSTRING (T) or STRING (S).
    file.write_bytes(b"\x80\x02]q\x00(U\x03manT\x04\x00\x00\x00left" + b"U\x02\xc3\xa9" + b"e.")
    assert read_pickle(file) == ["man", "left", "é"]
    file.write_bytes(b"(lp0\nS'dog'\np1\naS'caf\\xc3\\xa9'\na.")
    assert read_pickle(file) == ["dog", "café"]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_command_is_refused_and_not_run(file: Path, tmp_path: Path, protocol: int) -> None:
    marker = tmp_path / "marker"
    content = pickle.dumps([1, Command(marker)], protocol=protocol)
    file.write_bytes(content)
    with pytest.raises(DataError, match=r"refs\(unc\)\.p: refused .*(posix|nt)\.system"):
        read_pickle(file)
    assert not marker.exists()
    opcodes = {opcode.name for opcode, _, _ in pickletools.genops(content)}
    assert opcodes & {"GLOBAL", "STACK_GLOBAL"}
    assert ("STACK_GLOBAL" in opcodes) == (protocol >= 4)
    # The file is dangerous indeed: Python's own reader runs it.
    pickle.loads(content)  # noqa: S301
    assert marker.exists()


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"(S'touch x'\nios\nsystem\n.", "os.system"),  # INST
        (b"(cos\nsystem\nS'touch x'\no.", "os.system"),  # OBJ
        (b"cbuiltins\neval\n(S'1'\ntR.", "builtins.eval"),
        (pickle.dumps(OrderedDict(a=1), protocol=2), "collections.OrderedDict"),
        (pickle.dumps(Path("x"), protocol=4), "pathlib"),
        (pickle.dumps(3j, protocol=4), "builtins.complex"),
    ],
)
def test_every_global_is_refused_by_name(file: Path, content: bytes, name: str) -> None:
    file.write_bytes(content)
    with pytest.raises(DataError, match=f"refused .*{name}"):
        read_pickle(file)


def test_names_from_the_file_stay_short_and_on_one_line(file: Path) -> None:
    name = "os\n\x1b[2J" + "x" * 300
    content = b"\x80\x04X" + len(name).to_bytes(4, "little") + name.encode() + b"X\x01\0\0\0y\x93."
    file.write_bytes(content)
    with pytest.raises(DataError, match="refused") as caught:
        read_pickle(file)
    assert "\n" not in str(caught.value) and "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < len(str(file)) + 400


@pytest.mark.parametrize("content", [b"Psecret\n.", b"\x80\x02U\x06secretQ."])
def test_persistent_objects_are_refused(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(DataError, match="persistent object 'secret'"):
        read_pickle(file)


def test_a_truncated_file_is_refused_at_every_length(file: Path) -> None:
    content = pickle.dumps([{"ref_id": 5, "sent": "the man"}], protocol=2)
    for length in range(len(content)):
        file.write_bytes(content[:length])
        with pytest.raises(DataError, match="not a complete pickle"):
            read_pickle(file)


@pytest.mark.parametrize(
    "content",
    [b"<html>Not found</html>", b"PK\x03\x04rest", b"\x80\xff", b"\x80\x02U\x02\xff\xfe.", b"e."],
)
def test_no_pickle_is_refused_and_shown(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(DataError, match="not a complete pickle of plain data") as caught:
        read_pickle(file)
    assert repr(content[:8]) in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nothing\.p: cannot be read"):
        read_pickle(tmp_path / "nothing.p")


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x02N" + b"2" * 1_000_000 + b".",  # DUP
        b"\x80\x02}N" + b"\x85" * 1_000_000 + b"Ns.",  # a tuple of tuples as a key
        pickle.dumps([{"a": (1, 2)}], protocol=4),
        pickle.dumps([{1, 2}], protocol=4),
        pickle.dumps([bytearray(b"x")], protocol=5),
        b"\x80\x05\x96" + b"\xff" * 5 + b"\0\0\0.",  # a byte array of a terabyte
        b"\x80\x02\x82\x01.",  # an extension code
        b"N0N.",  # POP
    ],
)
def test_opcodes_that_plain_data_does_not_need_are_refused(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(DataError, match=r"is no pickle of plain data: at byte .*or as JSON$"):
        read_pickle(file)


@pytest.mark.parametrize(
    "content", [b"\x80\x02Nr\xff\xff\xff\xff.", b"Np4294967295\n.", b"Nr\x00\x00\x00\x10."]
)
def test_a_memo_beyond_the_file_is_refused(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(DataError, match=r"of \d+ bytes asks for memory for [\d,]+ objects"):
        read_pickle(file)


def test_a_pickle_of_hardly_anything_but_lists_is_refused(file: Path) -> None:
    depth = 100_000
    file.write_bytes(b"\x80\x02" + b"]" * depth + b"a" * (depth - 1) + b".")
    with pytest.raises(DataError, match="empty or deeply nested lists"):
        read_pickle(file)


def test_megabytes_of_one_opcode_are_scanned_at_once(file: Path) -> None:
    file.write_bytes(b"\x80\x02]" + b"(" * 3_000_000)
    start = time.process_time()
    with pytest.raises(DataError, match="without the opcode STOP"):
        read_pickle(file)
    assert time.process_time() - start < 1


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_nothing_behind_the_end_matters(file: Path, protocol: int) -> None:
    file.write_bytes(pickle.dumps(["a"], protocol=protocol) + b"2222")
    assert read_pickle(file) == ["a"]


def test_many_memo_entries_are_read(file: Path) -> None:
    data = [{"ref_id": i, "sent": f"dog {i}"} for i in range(5_000)]
    for protocol in (0, 2):
        content = pickle.dumps(data, protocol=protocol)
        names = {opcode.name for opcode, _, _ in pickletools.genops(content)}
        assert {"PUT", "LONG_BINPUT"} & names
        file.write_bytes(content)
        assert read_pickle(file) == data
