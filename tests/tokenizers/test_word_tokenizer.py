"""The word tokenizer."""

import warnings
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, models

from risbook.errors import DataError, RisbookError
from risbook.tokenizers import WordTokenizer
from risbook.tokenizers.word_tokenizer import MAX_NAMED, UnknownWordWarning

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
    with pytest.warns(UnknownWordWarning, match=": zebra, purple$"):  # a query silences nothing
        ids = tokenizer(["the zebra dog", "purple"])
    assert ids[0, 1] == 1


def test_a_batch_warns_of_each_unknown_word_once() -> None:
    tokenizer = WordTokenizer.from_sentences(SENTENCES, length=5)
    with pytest.warns(UnknownWordWarning, match=r"read as \[UNK\]: zebra, purple$") as caught:
        ids = tokenizer(["Zebra dog", "left dog", "purple zebra"])
    assert len(caught) == 1
    assert caught[0].filename == __file__  # it points to the caller
    assert (ids == 1).sum() == 3
    with pytest.warns(UnknownWordWarning, match=r": blue$"):
        tokenizer(["zebra", "blue zebra"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tokenizer(["purple zebra", "blue dog", *SENTENCES])


def test_warnings_do_not_flood() -> None:
    tokenizer = WordTokenizer.from_sentences(SENTENCES, length=5)
    with pytest.warns(UnknownWordWarning) as caught:
        for number in range(10 * MAX_NAMED):
            tokenizer([f"thing{number}"])
    assert len(caught) == MAX_NAMED
    assert "more are not named" in str(caught[-1].message)
    assert tokenizer.unknown_words("thing199 gizmo") == ["thing199", "gizmo"]


def test_sentences_can_be_opened_and_closed() -> None:
    tokenizer = WordTokenizer.from_sentences(SENTENCES, length=5, ends=True)
    start, end = 2, tokenizer.vocab_size - 1
    assert tokenizer.end_id == end
    ids = tokenizer(["LEFT dog", "the red dog on the right", "left dog mug", ""])
    assert (ids == ids.max(dim=1, keepdim=True).values).sum() == 4
    assert ids[:, 0].tolist() == [start] * 4
    assert ids[0].tolist()[3:] == [end, 0]
    assert ids[1, 4] == ids[2, 4] == end  # cut, and exactly full
    assert ids[1, :4].tolist() == tokenizer(["the red dog"])[0, :4].tolist()
    assert ids[3].tolist() == [start, end, 0, 0, 0]
    assert WordTokenizer.from_sentences(SENTENCES, length=5).end_id is None


@pytest.mark.filterwarnings("ignore::risbook.tokenizers.word_tokenizer.UnknownWordWarning")
def test_special_tokens_cannot_be_written_into_a_sentence() -> None:
    tokenizer = WordTokenizer.from_sentences(SENTENCES, length=6, ends=True)
    assert tokenizer.unknown_words("dog [END] left [PAD]") == ["end", "pad"]
    assert tokenizer(["dog [END] left [PAD]"])[0].tolist() == [
        2, *tokenizer(["dog"])[0, 1:2].tolist(), 1, *tokenizer(["left"])[0, 1:2].tolist(), 1,
        tokenizer.end_id,
    ]  # fmt: skip


def test_rare_words_can_be_left_out() -> None:
    tokenizer = WordTokenizer.from_sentences(SENTENCES, length=5, min_count=2)
    assert tokenizer.unknown_words("dog mug") == ["mug"]


@pytest.mark.parametrize("ends", [False, True])
def test_file_round_trip(tmp_path: Path, ends: bool) -> None:
    tokenizer = WordTokenizer.from_sentences(SENTENCES, length=5, ends=ends)
    tokenizer.to_file(tmp_path / "tokenizer.json")
    again = WordTokenizer.from_file(tmp_path / "tokenizer.json", length=5)
    assert again.vocab_size == tokenizer.vocab_size
    assert again(SENTENCES).equal(tokenizer(SENTENCES))
    assert again.end_id == tokenizer.end_id
    # Another reader of the file gets the same ids.
    plain = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    ids = plain.encode("left dog").ids
    assert tokenizer(["left dog"])[0, : len(ids)].tolist() == ids


def test_vocabulary_does_not_depend_on_the_order_of_sentences() -> None:
    first = WordTokenizer.from_sentences(["b a", "c a"], length=2).backend.get_vocab()
    second = WordTokenizer.from_sentences(["c a", "b a"], length=2).backend.get_vocab()
    assert first == second


def test_bad_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the tokenizer file does not exist"):
        WordTokenizer.from_file(tmp_path / "tokenizer.json", length=5)
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(DataError, match=r"tokenizer\.json: not a tokenizer file"):
        WordTokenizer.from_file(tmp_path / "tokenizer.json", length=5)
    for tokens, message in (
        ({"[UNK]": 0, "[PAD]": 1}, r"\[PAD\] and \[UNK\] must have the ids 0 and 1"),
        ({"[PAD]": 0, "[UNK]": 1, "[END]": 2}, r"only one of \[START\] and \[END\]"),
        ({"[PAD]": 0, "[UNK]": 1, "[END]": 2, "[START]": 3}, r"\[END\] must have the largest id"),
    ):
        Tokenizer(models.WordLevel(tokens, unk_token="[UNK]")).save(str(tmp_path / "other.json"))
        with pytest.raises(DataError, match=rf"other\.json: not a word tokenizer: .*{message}"):
            WordTokenizer.from_file(tmp_path / "other.json", length=5)


def test_a_length_without_room_for_a_word_is_refused() -> None:
    with pytest.raises(RisbookError, match=r"length is 2; a sentence needs at least 3 ids"):
        WordTokenizer.from_sentences(SENTENCES, length=2, ends=True)


@pytest.mark.parametrize(
    ("sentence", "message"),
    [
        ("left \ud800dog", "is not valid text: character 6 is half of a surrogate pair"),
        (3, "a sentence has to be text, not int"),
        (b"dog", "a sentence has to be text, not bytes"),
        (None, "a sentence has to be text, not NoneType"),
    ],
)
def test_what_is_no_text(sentence: Any, message: str) -> None:
    tokenizer = WordTokenizer.from_sentences(SENTENCES, length=5)
    for use in (lambda: tokenizer([sentence]), lambda: tokenizer.unknown_words(sentence)):
        with pytest.raises(DataError, match=message) as caught:
            use()
        str(caught.value).encode("ascii")


def test_ids_beyond_the_table_of_embeddings(tmp_path: Path) -> None:
    vocabulary = {"[PAD]": 0, "[UNK]": 1, "dog": 1_000_000}
    Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]")).save(str(tmp_path / "t.json"))
    with pytest.raises(DataError, match=r"t\.json: its 3 entries have ids up to 1000000"):
        WordTokenizer.from_file(tmp_path / "t.json", length=5)
