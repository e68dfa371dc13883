"""Cached letterboxed images: equal but for one JPEG, whole, and made from the present original."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from risbook.cli import main
from risbook.data import ReferData, open_data
from risbook.data.letterbox import Letterbox
from risbook.data.letterbox_cache import LetterboxCache, write_letterbox_cache
from risbook.data.samples import TrainingSamples
from risbook.errors import ArgumentError, DataError


@pytest.fixture
def source(tiny_world: Path) -> ReferData:
    return open_data(tiny_world / "refscenes")


@pytest.fixture
def copied(tiny_world: Path, tmp_path: Path) -> ReferData:
    """The set with images that a test may change."""
    names = {row.file_name for row in open_data(tiny_world / "refscenes").expressions}
    original = open_data(tiny_world / "refscenes")
    for name in names:
        path = tmp_path / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        image_id = next(r.image_id for r in original.expressions if r.file_name == name)
        path.write_bytes(original.image_path(image_id).read_bytes())
    return open_data(tiny_world / "refscenes", images=str(tmp_path / "images"))


def test_a_cached_sample_equals_the_uncached_one_but_for_the_jpeg(
    source: ReferData, tmp_path: Path
) -> None:
    cache = write_letterbox_cache([source], tmp_path, image_size=96)
    plain = TrainingSamples(sources=[source], image_size=96)
    cached = TrainingSamples(sources=[source], image_size=96, image_cache=cache)
    for index in range(6):
        expected, sample = plain[index], cached[index]
        assert sample.text == expected.text
        assert np.array_equal(sample.mask, expected.mask)
        row = plain.objects[index][1].expressions[0]
        inner = Letterbox(height=row.height, width=row.width, size=96).inner_part()
        border = np.ones((96, 96), bool)
        border[inner] = False
        assert np.array_equal(sample.image[border], expected.image[border])
        # what is inside is that JPEG and nothing else
        with Image.open(cache.path(row.file_name)) as image:
            assert np.array_equal(sample.image[inner], np.array(image))
        difference = np.abs(sample.image.astype(int) - expected.image)
        assert 0 < difference.mean() < 2


def test_an_interrupted_cache_goes_on(source: ReferData, tmp_path: Path) -> None:
    cache = write_letterbox_cache([source], tmp_path, image_size=32)
    files = sorted(tmp_path.glob("*.jpg"))
    whole = files[1].read_bytes()
    kept = files[2].stat().st_mtime_ns
    files[0].unlink()
    files[1].write_bytes(b"")  # half a file that somebody copied
    (tmp_path / "half.jpg.tmp").write_bytes(whole[:100])
    pairs = [(src, ref.expressions[0]) for src, ref in _objects(source)]
    with pytest.raises(DataError, match=r"2 of \d+ images are missing"):
        cache.check_complete(pairs)
    write_letterbox_cache([source], tmp_path, image_size=32)
    cache.check_complete(pairs)
    assert files[1].read_bytes() == whole and files[2].stat().st_mtime_ns == kept


def test_a_changed_original_is_noticed(copied: ReferData, tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    cache = write_letterbox_cache([copied], folder, image_size=32)
    row = _objects(copied)[0][1].expressions[0]
    before = cache.read(row, 32)
    Image.new("RGB", (row.width, row.height), (255, 0, 0)).save(copied.image_path(row.image_id))
    with pytest.raises(DataError, match="1 of 1 images are missing, or their originals have"):
        cache.check_complete([(copied, row)])
    write_letterbox_cache([copied], folder, image_size=32)
    cache.check_complete([(copied, row)])
    assert not np.array_equal(cache.read(row, 32), before)


def test_a_cache_of_another_size_is_refused(source: ReferData, tmp_path: Path) -> None:
    cache = write_letterbox_cache([source], tmp_path, image_size=32)
    with pytest.raises(ArgumentError, match="another size"):
        write_letterbox_cache([source], tmp_path, image_size=48)
    with pytest.raises(DataError, match="not to 48"):
        TrainingSamples(sources=[source], image_size=48, image_cache=cache)[0]
    with pytest.raises(DataError, match="no cache of letterboxed images"):
        LetterboxCache(tmp_path / "elsewhere")
    with pytest.raises(ArgumentError, match="no images in nosuch"):
        write_letterbox_cache([source], tmp_path, image_size=32, splits=("nosuch",))


def test_the_command_makes_a_cache(tiny_world: Path, tmp_path: Path) -> None:
    words = ["data", "cache", str(tiny_world / "refscenes"), "--out", str(tmp_path), "--size", "32"]
    assert main(words) == 0
    assert LetterboxCache(tmp_path).image_size == 32


def _objects(source: ReferData) -> list:
    return TrainingSamples(sources=[source], image_size=32).objects
