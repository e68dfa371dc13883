"""Files are written whole or not at all, and what the disk does not take is told by its name."""

import subprocess
import sys
from pathlib import Path

import pytest

from risbook.errors import RisbookError
from risbook.files import write_atomically, write_json

#: the system refuses to write more than 100 kB into a file, as a full disk would
FULL_DISK = """
import resource, sys, torch
from pathlib import Path
from risbook.errors import RisbookError
from risbook.files import write_json, write_safetensors, write_torch
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
value = {"weight": torch.zeros(100_000)}
writers = {"json": lambda path, _: write_json(path, "a" * 200_000),
           "safetensors": write_safetensors, "torch": write_torch}
try:
    writers[sys.argv[1]](Path(sys.argv[2]), value)
except RisbookError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limit of a file's size there")
@pytest.mark.parametrize("writer", ["json", "safetensors", "torch"])
def test_a_full_disk_is_told_in_one_line(tmp_path: Path, writer: str) -> None:
    path = tmp_path / "state"
    path.write_text("the state of before")
    words = [sys.executable, "-c", FULL_DISK, writer, str(path)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    (line,) = done.stdout.splitlines()
    assert line.startswith(f"{path}: cannot be written (") and "File too large" in line
    assert path.read_text() == "the state of before"
    assert [entry.name for entry in tmp_path.iterdir()] == ["state"]


def test_an_error_of_the_writer_itself_stays_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), write_atomically(tmp_path / "a"):
        1 / 0  # noqa: B018
    with pytest.raises(FileNotFoundError, match="missing"), write_atomically(tmp_path / "a"):
        (tmp_path / "missing").read_text()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RisbookError, match=r"nowhere.a: cannot be written \(No such file"):
        write_json(tmp_path / "nowhere" / "a", 1)


def test_a_written_file_is_whole_and_as_readable_as_others(tmp_path: Path) -> None:
    write_json(tmp_path / "a", {"b": 1})
    (tmp_path / "other").write_text("")
    assert (tmp_path / "a").read_text() == '{\n "b": 1\n}\n'
    written, other = ((tmp_path / name).stat() for name in ("a", "other"))
    assert written.st_mode == other.st_mode
