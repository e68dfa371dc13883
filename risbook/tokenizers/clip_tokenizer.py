"""CLIP's tokenizer: byte pairs, 49,408 ids, the ids of OpenAI's released code.

A word is spelt in bytes, which 48,894 merges then join, the most frequent pair first (Radford et
al. 2021, section 2.4, and `simple_tokenizer.py` of the released code). Every text can be spelt, so
no word is unknown. ETRIS (Xu et al., 2023), DETRIS (Huang et al., 2025) and the systems after them
use these ids unchanged: start 49406, end 49407, padding 0.
"""

import gzip
import html
import re
import unicodedata
from pathlib import Path
from typing import Any, Self

from tokenizers import Tokenizer, pre_tokenizers

from risbook.errors import DataError
from risbook.tokenizers.sentence_tokenizer import SentenceTokenizer

START, END, END_OF_WORD = "<|startoftext|>", "<|endoftext|>", "</w>"

#: Number of merges: of 49,408 ids, 256 are bytes inside a word, 256 are bytes at its end, and two
#: are the start and the end of the sentence. OpenAI's file lists more merges, which are not used.
MERGES = 49408 - 2 * 256 - 2

_CONTROL = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f\u206a-\u206f\ufeff\ufff9-\ufffc]")
_WIDTHS = re.compile("[\ufb00-\ufb06\uff01-\uffef\u3000]")
_QUOTES = {ord(c): "'" for c in "\u02bc\u2018\u2019\u201a\u201b"}
_QUOTES |= {ord(c): '"' for c in "\u201c\u201d\u201e\u201f"}


def clean_text(text: str) -> str:
    """Clean a text as OpenAI's code does before it looks for words.

    That code calls `ftfy.fix_text`, decodes HTML twice, joins white space and lowers the case. Of
    ftfy's steps we take those for text that was decoded correctly: straight quotation marks,
    letters in place of ligatures and full-width forms, no control characters, composed accents.
    Text in a wrong encoding (``cafÃ©``) is not repaired; the data sets' expressions have none.

    >>> clean_text("  The  owner\u2019s  CAF\u00c9 &amp;amp; dog ")
    "the owner's café & dog"
    """
    if "<" not in text:  # ftfy leaves a text with "<" as it is, since it may be HTML
        text = html.unescape(text)
    text = _WIDTHS.sub(lambda match: unicodedata.normalize("NFKC", match[0]), text)
    text = unicodedata.normalize("NFC", _CONTROL.sub("", text.translate(_QUOTES)))
    return " ".join(html.unescape(html.unescape(text)).split()).lower()


class CLIPTokenizer(SentenceTokenizer):
    """Turns sentences into rows of CLIP's ids: start, pieces, end, then 0.

    Args:
        backend: a `tokenizers.Tokenizer` with CLIP's vocabulary; `from_file` reads the
            ``tokenizer.json`` that lies beside CLIP's weights on the hub, `from_vocabulary` the
            list of the released repositories.
        length: ids per sentence: 17, or 22 for RefCOCOg, in the published systems, at most 77.

    Raises:
        DataError: if the backend does not hold CLIP's start and end tokens.
    """

    message_name = "CLIP vocabulary"
    start_token, end_token = START, END

    def __init__(self, backend: Tokenizer, *, length: int) -> None:
        super().__init__(backend, length=length)
        if self.end_id is None:
            raise DataError(f"not a CLIP vocabulary: {START} and {END} are missing")
        backend.no_padding()  # some files ask for one; rows are filled here
        backend.no_truncation()

    @classmethod
    def from_vocabulary(cls, path: Path, *, length: int) -> Self:
        """Read OpenAI's list of merges, ``bpe_simple_vocab_16e6.txt.gz``.

        Args:
            path: the list, gzipped or not; the first line is a title and the
                next 48,894 count.
            length: ids per sentence.

        Raises:
            DataError: if the file is missing or is not such a list.
        """
        if not path.is_file():
            raise DataError(f"{path}: there is no list of merges here")
        try:
            raw = path.read_bytes()
            lines = (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode("utf-8")
        except (OSError, EOFError, UnicodeDecodeError) as error:
            raise DataError(f"{path}: not a list of merges ({error})") from error
        merges = [tuple(line.split()) for line in lines.split("\n")[1 : MERGES + 1]]
        pairs = [(pair[0], pair[1]) for pair in merges if len(pair) == 2]
        if len(pairs) != MERGES:
            raise DataError(
                f"{path}: not a list of merges (line 1 is a title, then {MERGES:,} pairs must "
                f"follow; there are {len(pairs):,})"
            )
        try:
            backend = _backend(pairs)
        except Exception as error:  # the library raises a bare Exception for a bad pair
            raise DataError(f"{path}: not a list of merges ({error})") from error
        return cls(backend, length=length)

    def _clean(self, sentence: str) -> str:
        return clean_text(sentence)


def _backend(merges: list[Any]) -> Tokenizer:
    """The tokenizer of a list of merges, pairs of strings, as transformers makes it."""
    from transformers import CLIPTokenizer as TransformersTokenizer

    # One visible character per byte. In this order those that are visible in Latin-1 come first
    # and stand for themselves, as in OpenAI's code.
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    names = [*letters, *(letter + END_OF_WORD for letter in letters)]
    names += ["".join(pair) for pair in merges]
    vocabulary = {name: index for index, name in enumerate([*names, START, END])}
    tokenizer = TransformersTokenizer(vocab=vocabulary, merges=merges)
    # a copy, because transformers replaces the method `decode` of its own
    return Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
