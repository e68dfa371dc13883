"""How many objects, sentences and images the released sets hold, and a check against it.

A table that passes is the set that published results were measured on. Numbers come from the
REFER demo's printed totals (RefCOCO), from the dataset cards of TensorFlow Datasets (``ref_coco``,
refs and images) and from counts of the released files; evaluation splits of RefCOCO were
counted again from its sentence lists.

The G-Ref paper (Mao et al., CVPR 2016) reports 104,560 sentences for
54,822 objects in 26,711 images, but no loader returns that: the released files hold 95,010,
49,822 and 25,799. The gap is the google test part, which was never released: exactly 5,000
objects, 9,550 sentences and 912 images.
"""

from dataclasses import dataclass

from risbook.data.expressions import ExpressionTable
from risbook.errors import DataError

#: Refs, sentences and images; None where no source gives the number.
Triple = tuple[int | None, int | None, int | None]

#: Sentences, objects and images of G-Ref as the paper gives them, unreleased test part included.
GREF_PAPER = (104_560, 54_822, 26_711)

#: From this number of refs on, a table of that name is taken for the whole set.
WHOLE_SET_REFS = 40_000

_TFDS = "TensorFlow Datasets ref_coco card"
_FILES = "counted in the released files"


@dataclass(frozen=True, slots=True)
class PublishedCount:
    """Published size of one split, or of all ("total"): described objects, sentences, images."""

    dataset: str
    partition: str
    split: str
    refs: int | None
    sentences: int | None
    images: int | None
    source: str

    @property
    def triple(self) -> Triple:
        """Refs, sentences and images."""
        return self.refs, self.sentences, self.images


#: Dataset and partition -> source of the numbers, and the counts of each split.
_COUNTS: dict[tuple[str, str], tuple[str, dict[str, Triple]]] = {
    ("refcoco", "unc"): (
        f"REFER demo, {_TFDS}, {_FILES}",
        {
            "train": (42_404, 120_624, 16_994),
            "val": (3_811, 10_834, 1_500),
            "testA": (1_975, 5_657, 750),
            "testB": (1_810, 5_095, 750),
            "total": (50_000, 142_210, 19_994),
        },
    ),
    ("refcoco", "google"): (
        _TFDS,
        {
            "train": (40_000, None, 19_213),
            "val": (5_000, None, 4_559),
            "test": (5_000, None, 4_527),
        },
    ),
    ("refcoco+", "unc"): (
        f"{_TFDS}, {_FILES}",
        {
            "train": (42_278, 120_191, 16_992),
            "val": (3_805, 10_758, 1_500),
            "testA": (1_975, 5_726, 750),
            "testB": (1_798, 4_889, 750),
            "total": (49_856, 141_564, 19_992),
        },
    ),
    ("refcocog", "umd"): (
        f"{_TFDS}, {_FILES}",
        {
            "train": (42_226, 80_512, 21_899),
            "val": (2_573, 4_896, 1_300),
            "test": (5_023, 9_602, 2_600),
            "total": (49_822, 95_010, 25_799),
        },
    ),
    ("refcocog", "google"): (
        f"{_TFDS}, {_FILES}; splits share images",
        {
            "train": (44_822, 85_474, 24_698),
            "val": (5_000, 9_536, 4_650),
        },
    ),
}

#: All published counts, a row per split.
PUBLISHED: tuple[PublishedCount, ...] = tuple(
    PublishedCount(dataset, partition, split, *triple, source)
    for (dataset, partition), (source, splits) in _COUNTS.items()
    for split, triple in splits.items()
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CountCheck:
    """One line of a comparison with the published counts.

    Args:
        split: name of the split, or "total".
        expected: published refs, sentences and images; None where unknown.
        actual: refs, sentences and images of the table.
        ok: every published number agrees.
    """

    split: str
    expected: Triple
    actual: tuple[int, int, int]
    ok: bool


def check_counts(table: ExpressionTable, *, dataset: str, partition: str) -> list[CountCheck]:
    """Compare a table with what was published, split by split.

    Args:
        table: the table.
        dataset: "refcoco", "refcoco+" or "refcocog".
        partition: "unc", "google" or "umd".

    Returns:
        One line for each published split, then one (not ok) for each split that nobody published.

    Raises:
        DataError: nothing was published for this dataset and partition.
    """
    if (dataset, partition) not in _COUNTS:
        raise DataError(
            f"no published counts for dataset {dataset!r} with partition {partition!r}; "
            f"known are: {', '.join(map(' '.join, _COUNTS))}"
        )
    _, published = _COUNTS[dataset, partition]
    counts = {**table.counts(), "total": table.total()}
    lines = []
    for split in dict.fromkeys([*published, *table.splits]):
        expected, actual = published.get(split, (None, None, None)), counts.get(split, (0, 0, 0))
        pairs = zip(expected, actual, strict=True)
        ok = split in published and all(count in (None, number) for count, number in pairs)
        lines.append(CountCheck(split=split, expected=expected, actual=actual, ok=ok))
    return lines


def is_full_release(table: ExpressionTable, *, dataset: str, partition: str) -> bool:
    """Say whether a table must agree with the published counts.

    It must where it has the names of a released set and more than `WHOLE_SET_REFS` refs. Excerpts
    and drawn sets of the same layout are smaller.
    """
    return (dataset, partition) in _COUNTS and len(table.refs) > WHOLE_SET_REFS
