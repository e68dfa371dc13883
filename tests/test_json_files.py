"""Annotation files that never end, and JSON that is deep."""

import os
from pathlib import Path

import pytest

from risbook import files
from risbook.errors import DataError
from risbook.files import read_file, read_json


def test_pipes_and_devices_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "zero.json").symlink_to("/dev/zero")
    for name in ("pipe.json", "zero.json"):
        with pytest.raises(DataError, match=rf"{name}: is not a regular file"):
            read_json(tmp_path / name)
    with pytest.raises(DataError, match="is not a regular file"):
        read_json(tmp_path)
    (tmp_path / "loop.json").symlink_to(tmp_path / "loop.json")
    with pytest.raises(DataError, match=r"loop\.json: cannot be read"):
        read_json(tmp_path / "loop.json")


def test_a_link_to_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("[1]")
    (tmp_path / "b.json").symlink_to(tmp_path / "a.json")
    assert read_json(tmp_path / "b.json") == [1]


def test_size_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "large.json"
    with path.open("wb") as file:
        file.truncate(files.MAX_BYTES + 1)
    with pytest.raises(DataError, match=r"large\.json: has 1,073,741,825 bytes"):
        read_file(path)


@pytest.mark.parametrize("text", ["[" * 200_000, '{"a":' * 200_000, "[" + "9" * 5_000 + "]"])
def test_deep_or_endless_json_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "deep.json"
    path.write_text(text)
    with pytest.raises(DataError, match=r"deep\.json: is not valid JSON") as caught:
        read_json(path)
    assert len(str(caught.value)) < 400
