"""Kinds of expressions: by the functions of their words, their length, and their object's size."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from risbook.data import ReferData
from risbook.data.expressions import Expression
from risbook.errors import DataError
from risbook.teaching.word_functions import word_functions

Flags = npt.NDArray[np.bool_]

#: name -> fewest and most words
LENGTHS = {"1 or 2 words": (1, 2), "3 or 4 words": (3, 4), "5 words or more": (5, 10_000)}
SIZES = ("small object", "middle object", "large object")


@dataclass(frozen=True, eq=False)
class ExpressionKinds:
    """The kinds of N expressions, each a name and bool (N,).

    Args:
        words: "location", "attribute", "relation": what a word or phrase of the expression gives.
            An expression can have several of them, or none.
        lengths: `LENGTHS`; an expression has one of them.
        sizes: `SIZES`, the thirds of the expressions by the object's share of the image; an
            expression has one of them.
        size_limits: the two shares of the image that separate the thirds, from 0 to 1.
    """

    words: Mapping[str, Flags]
    lengths: Mapping[str, Flags]
    sizes: Mapping[str, Flags]
    size_limits: tuple[float, float]

    @property
    def all(self) -> dict[str, Flags]:
        """All kinds in one table."""
        return {**self.words, **self.lengths, **self.sizes}


def find_kinds(data: ReferData, expressions: Sequence[Expression]) -> ExpressionKinds:
    """Find the kinds of expressions.

    Args:
        data: the set, which gives the masks.
        expressions: N of its expressions.

    Raises:
        DataError: there is no expression.

    >>> from risbook.data import open_data
    >>> data = open_data("refscenes-sample")
    >>> kinds = find_kinds(data, data.expressions.split("val"))
    >>> list(kinds.words), sum(int(flags.sum()) for flags in kinds.lengths.values())
    (['location', 'attribute', 'relation'], 30)
    """
    if not expressions:
        raise DataError("there is no expression whose kind could be found")
    functions = [word_functions(row.sent) for row in expressions]
    lengths = np.array([len(row.sent.split()) for row in expressions])
    shares = _object_shares(data, expressions)
    low, high = np.quantile(shares, [1 / 3, 2 / 3])
    thirds = (shares <= low, (shares > low) & (shares <= high), shares > high)
    return ExpressionKinds(
        words={
            name: np.array([function[name] for function in functions])
            for name in ("location", "attribute", "relation")
        },
        lengths={
            name: (lengths >= fewest) & (lengths <= most)
            for name, (fewest, most) in LENGTHS.items()
        },
        sizes=dict(zip(SIZES, thirds, strict=True)),
        size_limits=(float(low), float(high)),
    )


def _object_shares(data: ReferData, expressions: Sequence[Expression]) -> npt.NDArray[np.float64]:
    """The share of the image that each expression's object covers; each mask is decoded once."""
    shares: dict[int, float] = {}
    for row in expressions:
        if row.ann_id not in shares:
            shares[row.ann_id] = float(data.mask(row).mean())
    return np.array([shares[row.ann_id] for row in expressions])
