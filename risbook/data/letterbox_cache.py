"""Letterboxed training images on disk, made once, so that two CPU cores feed a GPU.

From a cache, samples of photographs load about four times as fast (`risbook bench data`). A cache
is a plain folder: one JPEG per image at the size at which a system is trained, without the border,
and ``letterbox.json``, which says that size. Masks are not cached: drawing them from the polygons
is quicker than reading them.

Sentence, mask and border of a cached sample are equal to those of an uncached one to the last bit.
Colours differ by the loss of one JPEG of quality 95 without chroma subsampling. A file is renamed
into its place when it is whole, and holds the digest of its original, so that a changed original
is noticed when a training starts and when the cache is made again.

Evaluation never reads a cache. It takes the original images, and masks at their resolution.
"""

import hashlib
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from risbook.data.dataset import ReferData
from risbook.data.expressions import Expression
from risbook.data.image_key import image_key
from risbook.data.images import read_image
from risbook.data.letterbox import BORDER, Letterbox
from risbook.errors import ArgumentError, DataError
from risbook.files import read_file, read_json, write_atomically, write_error, write_json
from risbook.progress_bar import progress_bar

#: of the JPEG files; at 416 pixels they have about 100 kB each
QUALITY = 95
INDEX = "letterbox.json"


class LetterboxCache:
    """A folder of letterboxed images.

    Args:
        folder: the folder.

    Raises:
        DataError: it is no such folder.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder).expanduser()
        if not (self.folder / INDEX).is_file():
            raise DataError(
                f"{self.folder}: is no cache of letterboxed images ({INDEX} is missing); "
                "`risbook data cache` makes one"
            )
        index = read_json(self.folder / INDEX)
        size = index.get("image_size") if isinstance(index, dict) else None
        if not isinstance(size, int) or size <= 0:
            raise DataError(f"{self.folder / INDEX}: names no image_size; make the cache anew")
        #: side S of the letterboxed square, pixels
        self.image_size = size

    def path(self, file_name: str) -> Path:
        """The file of an image."""
        return self.folder / f"{Path(file_name).stem}.jpg"

    def read(self, expression: Expression, image_size: int) -> NDArray[np.uint8]:
        """Read the letterboxed image of an expression, uint8 (S, S, 3).

        Args:
            expression: the expression.
            image_size: side S of the square.

        Raises:
            DataError: the cache lacks the image, or is made for another size.
        """
        if image_size != self.image_size:
            raise DataError(
                f"{self.folder}: holds images letterboxed to {self.image_size} pixels, not to "
                f"{image_size}; make a cache of that size by `risbook data cache`"
            )
        letterbox = Letterbox(height=expression.height, width=expression.width, size=image_size)
        rows, columns = letterbox.inner_part()
        shape = (rows.stop - rows.start, columns.stop - columns.start)
        square = _border(image_size).copy()
        square[rows, columns] = read_image(self.path(expression.file_name), size=shape)
        return square

    def is_current(self, source: ReferData, expression: Expression) -> bool:
        """Whether the cache holds the image of an expression as its original is now."""
        try:
            with Image.open(self.path(expression.file_name)) as image:
                comment = image.info.get("comment", b"")
        except (OSError, SyntaxError):
            return False
        return bool(comment == original_digest(source, expression))

    def check_complete(self, objects: Iterable[tuple[ReferData, Expression]]) -> None:
        """Check that every image is there and made from its original as it is now.

        Args:
            objects: sets with an expression for each image.

        Raises:
            DataError: some are missing or changed; says how many.
        """
        images = {expression.file_name: (source, expression) for source, expression in objects}
        with ThreadPoolExecutor() as pool:
            current = list(pool.map(lambda pair: self.is_current(*pair), images.values()))
        wrong = [name for name, good in zip(images, current, strict=True) if not good]
        if wrong:
            raise DataError(
                f"{self.folder}: {len(wrong):,} of {len(images):,} images are missing, or their "
                f"originals have changed (the first: {wrong[0]}); `risbook data cache` makes them"
            )


def original_digest(source: ReferData, expression: Expression) -> bytes:
    """SHA-256 of the original image: of its file, or of its bytes in a table of rows.

    Raises:
        DataError: no folder holds it.
    """
    row = source.row_images.get(expression.image_id)
    if isinstance(row, np.ndarray):
        data = row.tobytes()
    elif isinstance(row, bytes):
        data = row
    else:
        data = read_file(source.image_path(expression.image_id))
    return hashlib.sha256(data).hexdigest().encode()


@lru_cache
def _border(size: int) -> NDArray[np.uint8]:
    """A square that is border alone, uint8 (S, S, 3); copying it is quicker than filling one."""
    return np.tile(np.array(BORDER, np.uint8), (size, size, 1))


def write_letterbox_cache(
    sources: Sequence[ReferData],
    folder: str | Path,
    *,
    image_size: int,
    splits: Sequence[str] = ("train",),
    threads: int | None = None,
) -> LetterboxCache:
    """Make a cache, or add to it what it lacks or what has changed.

    Args:
        sources: sets whose images lie in one folder, as those of COCO do.
        folder: of the cache; created if it does not exist.
        image_size: side S of the letterboxed square, pixels.
        splits: whose images are kept; a set without one of them is skipped for it.
        threads: that work at once; None for one per core.

    Raises:
        ArgumentError: the cache is of another size or of other images, or the splits have none.
        DataError: an original is missing or broken; what is done already stays.
        RisbookError: the disk is full.
    """
    folder = Path(folder).expanduser()
    originals = {
        expression.file_name: (source, expression)
        for source in sources
        for expression in source.expressions
        if expression.split in splits
    }
    places = {str(image_key(*pair)[0]) for pair in originals.values()}
    if not originals:
        raise ArgumentError(f"there are no images in {', '.join(splits)}; name other splits")
    if len(places) != 1:
        raise ArgumentError(
            f"the images lie in {len(places)} folders ({', '.join(sorted(places))}); make one "
            "cache for each"
        )
    folder.mkdir(parents=True, exist_ok=True)
    about = {"image_size": image_size, "quality": QUALITY, "images": places.pop()}
    if (folder / INDEX).is_file():
        if read_json(folder / INDEX) != about:
            raise ArgumentError(
                f"{folder}: is a cache of another size or of other images; choose another folder"
            )
    else:
        write_json(folder / INDEX, about)
    cache = LetterboxCache(folder)
    missing = [pair for pair in originals.values() if not cache.is_current(*pair)]
    bar = progress_bar(total=len(missing), desc="letterbox", unit="file")
    with bar, ThreadPoolExecutor(threads) as pool:
        futures = [pool.submit(_write_image, cache, *pair) for pair in missing]
        try:
            for future in as_completed(futures):
                future.result()
                bar.update()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    return cache


def _write_image(cache: LetterboxCache, source: ReferData, expression: Expression) -> None:
    letterbox = Letterbox(height=expression.height, width=expression.width, size=cache.image_size)
    digest = original_digest(source, expression)
    part = letterbox.image(source.image(expression))[letterbox.inner_part()]
    path = cache.path(expression.file_name)
    try:
        with write_atomically(path) as temporary:
            Image.fromarray(part).save(
                temporary, "JPEG", quality=QUALITY, subsampling=0, comment=digest
            )
    except OSError as error:
        raise write_error(path, error) from error
