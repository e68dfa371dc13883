"""The word tokenizer."""

from pathlib import Path

import pytest

from risbook.errors import DataError
from risbook.towers import WordTokenizer

SENTENCES = ["left dog", "the red dog on the right", "2nd mug from left"]


def test_padding_cutting_and_case() -> None:
    tokenizer = WordTokenizer.from_sentences(SENTENCES, length=3)
    ids = tokenizer(["LEFT dog", "the red dog on the right", ""])
    assert ids.shape == (3, 3)
    assert (ids[0, :2] > 1).all()
    assert ids[0, 2] == 0
    assert (ids[1] > 1).all()
    assert ids[2].tolist() == [0, 0, 0]


def test_an_unknown_word_is_reported_and_not_swallowed() -> None:
    tokenizer = WordTokenizer.from_sentences(SENTENCES, length=5)
    assert tokenizer.unknown_words("The Purple dog, zebra") == ["purple", "zebra"]
    assert tokenizer(["zebra dog"])[0, 0] == 1


def test_rare_words_can_be_left_out() -> None:
    tokenizer = WordTokenizer.from_sentences(SENTENCES, length=5, min_count=2)
    assert tokenizer.unknown_words("dog mug") == ["mug"]


def test_file_round_trip(tmp_path: Path) -> None:
    tokenizer = WordTokenizer.from_sentences(SENTENCES, length=5)
    tokenizer.to_file(tmp_path / "tokenizer.json")
    again = WordTokenizer.from_file(tmp_path / "tokenizer.json", length=5)
    assert again.vocabulary_size == tokenizer.vocabulary_size
    assert again(SENTENCES).equal(tokenizer(SENTENCES))


def test_vocabulary_does_not_depend_on_the_order_of_sentences() -> None:
    one = WordTokenizer.from_sentences(["b a", "c a"], length=2).backend.get_vocab()
    two = WordTokenizer.from_sentences(["c a", "b a"], length=2).backend.get_vocab()
    assert one == two


def test_bad_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no tokenizer file"):
        WordTokenizer.from_file(tmp_path / "tokenizer.json", length=5)
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(DataError, match=r"tokenizer\.json: not a tokenizer file"):
        WordTokenizer.from_file(tmp_path / "tokenizer.json", length=5)
