"""CLIP's tokenizer with a vocabulary that is small enough to write down, and with the real one."""

import gzip
from pathlib import Path

import pytest
from tokenizers import Tokenizer, models

from risbook.errors import DataError, RisbookError
from risbook.tokenizers.clip_tokenizer import MERGES, CLIPTokenizer, clean_text


@pytest.fixture(scope="module")
def merges(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A list with the real one's form: four merges of use, then ones for no small letters."""
    used = ["d o", "do g</w>", "c a", "ca t</w>"]
    others = [chr(code) for code in (*range(0x21, 0x61), *range(0xAE, 0x144))]
    rest = [f"{a} {b}{end}" for a in others for b in others for end in ("", "</w>")]
    path = tmp_path_factory.mktemp("merges") / "list.txt.gz"
    path.write_bytes(gzip.compress("\n".join(["title", *used, *rest[: MERGES + 5]]).encode()))
    return path


def test_words_are_merged_in_the_order_of_the_list(merges: Path) -> None:
    tokenizer = CLIPTokenizer.from_vocabulary(merges, length=8)
    assert tokenizer.vocab_size == 49408
    assert (tokenizer.start_id, tokenizer.end_id) == (49406, 49407)
    # 512 ids for bytes; then the merges: do 512, dog</w> 513, ca 514, cat</w> 515
    letter = {character: ord(character) - ord("!") for character in "abcdefghijklmnopqrstuvwxyz"}
    ids = tokenizer(["Dog  CAT", "do", "cats", ""])
    assert ids[0].tolist() == [49406, 513, 515, 49407, 0, 0, 0, 0]
    assert ids[1, 1:4].tolist() == [letter["d"], 256 + letter["o"], 49407]
    assert ids[2, 1:5].tolist() == [514, letter["t"], 256 + letter["s"], 49407]
    assert ids[3].tolist() == [49406, 49407, 0, 0, 0, 0, 0, 0]


def test_a_long_text_is_cut_and_keeps_its_end(merges: Path) -> None:
    short = CLIPTokenizer.from_vocabulary(merges, length=4)
    assert short(["dog dog", "dog dog dog"]).tolist() == [[49406, 513, 513, 49407]] * 2


def test_every_text_can_be_spelt_and_no_word_is_unknown(merges: Path) -> None:
    tokenizer = CLIPTokenizer.from_vocabulary(merges, length=77)
    text = "ein Bär, 犬 & 🐶!"
    ids = tokenizer([text])[0]
    end = ids.tolist().index(49407)
    spelt = tokenizer.backend.decode(ids[1:end].tolist(), skip_special_tokens=False)
    assert spelt.replace("</w>", " ").split() == ["ein", "bär", ",", "犬", "&", "🐶!"]
    assert tokenizer.unknown_words(text) == []


def test_file_round_trip_and_other_readers(merges: Path, tmp_path: Path) -> None:
    tokenizer = CLIPTokenizer.from_vocabulary(merges, length=9)
    tokenizer.to_file(tmp_path / "tokenizer.json")
    again = CLIPTokenizer.from_file(tmp_path / "tokenizer.json", length=9)
    texts = ["the owner’s cat", "3:45pm dog", "!!!"]
    assert again(texts).equal(tokenizer(texts))
    plain = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    assert plain.encode("dog cat").ids == [49406, 513, 515, 49407]


def test_padding_and_cutting_that_a_file_asks_for_are_not_ours(
    merges: Path, tmp_path: Path
) -> None:
    tokenizer = CLIPTokenizer.from_vocabulary(merges, length=6)
    expected = tokenizer(["dog", "dog dog dog cat cat"])
    tokenizer.backend.enable_padding(length=77, pad_id=49407)
    tokenizer.backend.enable_truncation(4)
    tokenizer.to_file(tmp_path / "tokenizer.json")
    assert CLIPTokenizer.from_file(tmp_path / "tokenizer.json", length=6)(
        ["dog", "dog dog dog cat cat"]
    ).equal(expected)


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("  a \n\t b ", "a b"),
        ("cats &amp; dogs", "cats & dogs"),
        ("cats &amp;amp; dogs", "cats & dogs"),
        ("the boy\u2019s \u201cbig\u201d cap", 'the boy\'s "big" cap'),
        ("o\ufb03ce \uff21\u3000\uff22", "office a b"),
        ("cafe\u0301", "caf\u00e9"),
        ("a\x00b\ufeffc", "abc"),
        ("CAFÉ", "café"),
    ],
)
def test_texts_are_cleaned(text: str, clean: str) -> None:
    assert clean_text(text) == clean


def test_mistakes_are_named(tmp_path: Path, merges: Path) -> None:
    missing = tmp_path / "no.json"
    with pytest.raises(DataError, match=r"no\.json: the tokenizer file does not exist"):
        CLIPTokenizer.from_file(missing, length=17)
    with pytest.raises(DataError, match=r"no\.json: there is no list of merges"):
        CLIPTokenizer.from_vocabulary(missing, length=17)
    short = tmp_path / "short.txt"
    short.write_text("title\na b\nc d\n")
    with pytest.raises(DataError, match=r"short\.txt: not a list of merges .* there are 2"):
        CLIPTokenizer.from_vocabulary(short, length=17)
    broken = tmp_path / "broken.gz"
    broken.write_bytes(merges.read_bytes()[:1000])
    with pytest.raises(DataError, match=r"broken\.gz: not a list of merges"):
        CLIPTokenizer.from_vocabulary(broken, length=17)
    odd = tmp_path / "odd.txt"
    odd.write_text("title\n" + "dog cat\n" * MERGES)
    with pytest.raises(DataError, match=r"odd\.txt: not a list of merges .*dog"):
        CLIPTokenizer.from_vocabulary(odd, length=17)
    words = tmp_path / "words.json"
    Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]")).save(str(words))
    with pytest.raises(DataError, match=r"words\.json: not a CLIP vocabulary"):
        CLIPTokenizer.from_file(words, length=17)
    with pytest.raises(RisbookError, match=r"length is 2"):
        CLIPTokenizer.from_vocabulary(merges, length=2)
