"""Damage to a drawn world is noticed, and what a killed process leaves behind is removed."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from risbook.data import open_data
from risbook.errors import DataError, RisbookError
from risbook.refscenes import WorldSize, make_world, sample_folder, write
from risbook.refscenes.manifest import (
    MANIFEST,
    check_digests,
    check_sizes,
    read_manifest,
)
from risbook.refscenes.partial_folder import partial_folder
from risbook.refscenes.write import IMAGES

SMALL = WorldSize(name="small", refscenes=(2, 1, 1, 1), refscenesg=(1, 1, 1))


@pytest.fixture(scope="module")
def drawn_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_world(tmp_path_factory.mktemp("worlds") / "small", size=SMALL, progress=False)


@pytest.fixture
def world(drawn_world: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(drawn_world, tmp_path / "small"))


def image_files(world: Path) -> list[Path]:
    return sorted((world / IMAGES).iterdir())


def reopen(world: Path) -> Path:
    return make_world(world, size=SMALL, progress=False)


def test_the_manifest_lists_every_file(world: Path) -> None:
    files = {
        path.relative_to(world).as_posix()
        for path in world.rglob("*")
        if path.is_file() and path.name not in (MANIFEST, "README.txt")
    }
    assert set(read_manifest(world)) == files
    assert len(files) == 8 + 3 * 3 + 1
    check_digests(world)


@pytest.mark.parametrize(("sample", "count"), [("sample", 20), ("unseen-sample", 13)])
def test_the_samples_of_the_package_are_whole(sample: str, count: int) -> None:
    assert len(read_manifest(sample_folder(sample))) > count
    check_digests(sample_folder(sample))


def test_a_deleted_image_is_noticed_when_the_world_is_opened(world: Path) -> None:
    image_files(world)[3].unlink()
    with pytest.raises(DataError, match=r"\.jpg: is missing from this drawn world; remove .*anew"):
        reopen(world)


@pytest.mark.parametrize("name", ["refscenes/instances.json", "refscenesg/refs(umd).p"])
def test_a_cut_file_is_noticed_when_the_world_is_opened(world: Path, name: str) -> None:
    path = world / name
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match="was altered since this world was drawn"):
        reopen(world)


def test_an_altered_image_of_the_same_size_is_noticed_when_it_is_read(world: Path) -> None:
    data = open_data(world / "refscenes")
    path = data.image_path(data.expressions[0].image_id)
    assert data.image(data.expressions[0]).ndim == 3
    content = bytearray(path.read_bytes())
    content[-20] ^= 1  # the image still decodes, to slightly other pixels
    path.write_bytes(bytes(content))
    with Image.open(path) as image:
        assert np.asarray(image).ndim == 3
    reopen(world)
    check_sizes(world)
    with pytest.raises(DataError, match=r"\.jpg: was altered since its dataset was made"):
        data.image(data.expressions[0])
    with pytest.raises(DataError, match=r"\.jpg: was altered since this world was drawn"):
        check_digests(world)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"[1]", b'{"a": [1]}', b'{"a": "bc"}']
)
def test_a_damaged_manifest_is_named(world: Path, content: bytes) -> None:
    (world / MANIFEST).write_bytes(content)
    with pytest.raises(DataError, match=r"manifest\.json: is damaged"):
        reopen(world)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000])
def test_a_damaged_stamp_is_named(world: Path, content: bytes) -> None:
    (world / "world.json").write_bytes(content)
    with pytest.raises(DataError, match=r"world\.json: is damaged; remove .* drawn anew"):
        reopen(world)
    for other in (b"[]", b"null", b'{"seed": 0}'):
        (world / "world.json").write_bytes(other)
        with pytest.raises(DataError, match="another size or seed"):
            reopen(world)


def test_a_world_of_an_earlier_edition_gets_a_manifest(world: Path) -> None:
    expected = (world / MANIFEST).read_bytes()
    (world / MANIFEST).unlink()
    reopen(world)
    assert (world / MANIFEST).read_bytes() == expected
    (world / MANIFEST).unlink()
    image_files(world)[0].unlink()
    with pytest.raises(DataError, match="holds 7 images of 8; remove"):
        reopen(world)


def test_a_foreign_manifest_beside_a_dataset_is_left_alone(world: Path) -> None:
    (world / "world.json").unlink()
    (world / MANIFEST).write_text("mine")
    data = open_data(world / "refscenes")
    assert data.digests == {}
    assert data.image(data.expressions[0]).ndim == 3


def test_what_a_killed_drawing_left_is_removed(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from risbook.refscenes import STANDARD, make_world;"
        "make_world(Path(sys.argv[1]), size=STANDARD, progress=False)"
    )
    root = tmp_path / "world"
    process = subprocess.Popen([sys.executable, "-c", code, str(root)])
    try:
        deadline = time.monotonic() + 120
        while not (folders := list(tmp_path.glob(".world-*/images"))):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        (leftover,) = (folder.parent for folder in folders)
        long_ago = time.time() - 3600
        os.utime(leftover, (long_ago, long_ago))
        # While its process lives, the folder is left alone.
        with partial_folder(root) as other:
            assert leftover.is_dir() and other != leftover
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert leftover.is_dir()
    os.utime(leftover, (long_ago, long_ago))
    mine = tmp_path / ".world-notes"
    mine.mkdir()
    make_world(root, size=SMALL, progress=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".world-notes", "world"]


def test_a_young_folder_may_belong_to_somebody(tmp_path: Path) -> None:
    young = tmp_path / ".world-abc.partial"
    young.mkdir()
    with partial_folder(tmp_path / "world"):
        assert young.is_dir()


def test_a_failure_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(write, "_write_world", full)
    with pytest.raises(RisbookError, match=r"world: cannot be written \(No space left on device\)"):
        make_world(tmp_path / "world", size=SMALL, progress=False)
    assert not list(tmp_path.iterdir())


def test_without_a_home_the_cache_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    for name in ("RISBOOK_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", home)
    with pytest.raises(DataError, match=r"no home folder .* environment variable RISBOOK_CACHE"):
        write.world_folder("tiny")
    monkeypatch.setenv("RISBOOK_CACHE", "~nobody-of-this-name/cache")
    with pytest.raises(DataError, match="RISBOOK_CACHE"):
        write.world_folder("tiny")


def test_the_cache_may_not_be_writable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("RISBOOK_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(RisbookError, match=r"refscenes-v\d+-tiny-seed0: cannot be written"):
        write.world_folder("tiny")
