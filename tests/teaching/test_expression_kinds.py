"""Kinds of expressions: one length and one size each, words by their functions."""

import numpy as np
import pytest

from risbook.data import open_data
from risbook.errors import DataError
from risbook.teaching import find_kinds, word_functions


def test_every_expression_has_one_length_and_one_size() -> None:
    data = open_data("refscenes-sample")
    expressions = data.expressions.split("val")
    kinds = find_kinds(data, expressions)
    for group in (kinds.lengths, kinds.sizes):
        assert (np.sum(list(group.values()), axis=0) == 1).all()
    for place, row in enumerate(expressions):
        assert kinds.words["location"][place] == word_functions(row.sent)["location"]
        assert kinds.lengths["1 or 2 words"][place] == (len(row.sent.split()) <= 2)
    assert len(kinds.all) == 9


def test_sizes_are_thirds_by_the_share_of_the_image() -> None:
    data = open_data("refscenes-sample")
    expressions = data.expressions.split("val")
    kinds = find_kinds(data, expressions)
    shares = np.array([data.mask(row).mean() for row in expressions])
    low, high = kinds.size_limits
    assert shares[kinds.sizes["small object"]].max() <= low < high
    assert shares[kinds.sizes["large object"]].min() > high
    assert kinds.sizes["small object"].mean() == pytest.approx(1 / 3, abs=0.1)


def test_no_expression_is_refused() -> None:
    with pytest.raises(DataError, match="no expression"):
        find_kinds(open_data("refscenes-sample"), [])
