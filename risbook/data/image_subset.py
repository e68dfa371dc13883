"""Nested subsets of training images: how well does a model learn from few labels?

All images are ranked once, by a digest of the seed and the name of their file, and a subset is the
first part of the ranking. A subset of 125 images therefore lies inside that of 500, and that of 500
inside that of 2,000. The rank of an image depends on nothing else, so that it is the same on every
machine, and the same in every dataset that holds the image.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path

#: A folder of images and the name of a file in it.
ImageKey = tuple[Path, str]


def choose_images(images: Iterable[ImageKey], *, num_images: int, seed: int) -> set[ImageKey]:
    """Choose a subset of images.

    Args:
        images: folder and file name of every image; an image may occur several times.
        num_images: size of the subset; all images if there are fewer.
        seed: decides which images; subsets of one seed are nested.

    >>> photographs = [(Path("."), f"{number}.jpg") for number in range(100)]
    >>> small = choose_images(photographs, num_images=5, seed=0)
    >>> large = choose_images(photographs, num_images=20, seed=0)
    >>> len(small), len(large), small < large
    (5, 20, True)
    """
    # Files of one name in several folders have one rank; they stay in the order of the datasets.
    distinct = dict.fromkeys(images)
    ranking = sorted(distinct, key=lambda image: _rank(image[1], seed))
    return set(ranking[:num_images])


def _rank(file_name: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}/{file_name}".encode()).digest()
