"""CLIP's tokenizer: byte pairs, 49,408 ids, the ids of OpenAI's released code.

A word is spelt in bytes, which 48,894 merges then join, the most frequent pair first (Radford et
al. 2021, section 2.4, and `simple_tokenizer.py` of the released code). Every text can be spelt, so
no word is unknown. ETRIS, DETRIS and the systems after them use these ids unchanged: start 49406,
end 49407, padding 0.
"""

import gzip
import html
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from torch import Tensor

from risbook.errors import DataError, RisbookError
from risbook.towers.word_tokenizer import check_ids, check_text, fill_rows, read_backend

START, END, END_OF_WORD = "<|startoftext|>", "<|endoftext|>", "</w>"

#: Number of merges: of 49,408 ids, 256 are bytes inside a word, 256 are bytes at its end, and two
#: are the start and the end of the sentence. OpenAI's file lists more merges, which are not used.
MERGES = 49408 - 2 * 256 - 2

#: How a text is split into words in OpenAI's code: English clitics, letters, one digit, the rest.
WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"

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


class CLIPTokenizer:
    """Turns sentences into rows of CLIP's ids.

    Args:
        backend: a `tokenizers.Tokenizer` with CLIP's vocabulary; `from_file` and
            `from_vocabulary` make it.
        length: ids per sentence, start and end included: 17, or 22 for RefCOCOg, in the published
            systems and at most 77. Longer sentences are cut and keep their end token.

    Raises:
        DataError: if the backend does not hold CLIP's start and end tokens.
    """

    def __init__(self, backend: Tokenizer, *, length: int) -> None:
        start, end = backend.token_to_id(START), backend.token_to_id(END)
        if start is None or end is None:
            raise DataError(f"not a CLIP vocabulary: {START} or {END} is missing")
        check_ids(backend)
        if end != backend.get_vocab_size() - 1:
            # CLIP's text tower finds the sentence's end by the largest id.
            raise DataError(f"not a CLIP vocabulary: {END} must have the largest id, not {end}")
        if length < 3:
            raise RisbookError(f"length is {length}; a sentence needs at least 3 ids")
        backend.no_padding()  # some files ask for one; rows are filled here
        backend.no_truncation()
        self.backend = backend
        self.length = length
        self.start_id: int = start
        self.end_id: int = end

    @classmethod
    def from_file(cls, path: Path, *, length: int) -> "CLIPTokenizer":
        """Read the ``tokenizer.json`` that lies beside CLIP's weights on the hub.

        Args:
            path: for instance that of ``openai/clip-vit-base-patch16``.
            length: ids per sentence.

        Raises:
            DataError: if the file is missing, is not a tokenizer file or is not CLIP's.
        """
        backend = read_backend(path)
        try:
            return cls(backend, length=length)
        except DataError as error:
            raise DataError(f"{path}: {error}") from error

    @classmethod
    def from_vocabulary(cls, path: Path, *, length: int) -> "CLIPTokenizer":
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

    def to_file(self, path: Path) -> None:
        """Write the vocabulary as ``tokenizer.json``."""
        path.write_text(self.backend.to_str(pretty=False), encoding="utf-8")

    @property
    def vocabulary_size(self) -> int:
        """Number of ids, 49,408."""
        return int(self.backend.get_vocab_size())

    def __call__(self, sentences: Sequence[str]) -> Tensor:
        """Tokenise a batch.

        Args:
            sentences: B sentences, or one.

        Returns:
            Ids (B, length), int64: start, pieces, end, then 0.

        Raises:
            DataError: for a sentence that is not valid text.
        """
        sentences = [sentences] if isinstance(sentences, str) else sentences
        batch = [self._encode(sentence) for sentence in sentences]
        return fill_rows(batch, length=self.length, end_id=self.end_id)

    def num_tokens(self, sentence: str) -> int:
        """Ids of a whole sentence, start and end included; those beyond `length` are cut."""
        return len(self._encode(sentence))

    def _encode(self, sentence: str) -> list[int]:
        check_text(sentence)
        pieces = self.backend.encode(clean_text(sentence), add_special_tokens=False).ids
        return [self.start_id, *pieces, self.end_id]

    def unknown_words(self, sentence: str) -> list[str]:
        """Always empty: a word outside the vocabulary is spelt in pieces."""
        check_text(sentence)
        return []


def _alphabet() -> list[str]:
    """One visible character for each of the 256 bytes, in the order of their ids.

    Bytes that are visible in Latin-1 stand for themselves and come first; the others take the
    characters from U+0100 on.
    """
    visible = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1)]
    visible += range(ord("®"), ord("ÿ") + 1)
    return [chr(byte) for byte in visible] + [chr(256 + n) for n in range(256 - len(visible))]


def _backend(merges: list[tuple[str, str]]) -> Tokenizer:
    """The tokenizer of a list of merges, as the hub's ``tokenizer.json`` describes it."""
    letters = _alphabet()
    names = [*letters, *(letter + END_OF_WORD for letter in letters)]
    names += ["".join(pair) for pair in merges]
    vocabulary = {name: index for index, name in enumerate([*names, START, END])}
    backend = Tokenizer(
        models.BPE(vocabulary, merges, unk_token=END, end_of_word_suffix=END_OF_WORD)
    )
    backend.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORDS), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    backend.decoder = decoders.ByteLevel()
    # For other programs that read the file: `__call__` inserts both tokens itself.
    backend.post_processor = processors.RobertaProcessing(
        (END, vocabulary[END]), (START, vocabulary[START]), trim_offsets=False
    )
    backend.add_special_tokens([START, END])
    return backend
