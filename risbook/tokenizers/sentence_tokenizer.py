"""The base class of both tokenizers: files of a vocabulary, and sentences as rows of ids.

The file format is that of Hugging Face tokenizers (``tokenizer.json``), so that other tools can
open it. CLIP's text tower takes the largest id of a row for the end token, so the end token must
have the largest id.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Self

import torch
from tokenizers import Encoding, Tokenizer
from torch import Tensor

from risbook.errors import ArgumentError, DataError


class SentenceTokenizer:
    """Base class of `WordTokenizer` and `CLIPTokenizer`.

    Args:
        backend: a `tokenizers.Tokenizer`.
        length: L, ids per sentence, start and end token included. A sentence that is too long
            keeps its first ids, and the last of those becomes the end token, as in the released
            codes. A shorter one is padded with 0.

    Attributes:
        start_id: id of the token that opens every sentence; None for none.
        end_id: id of the token that closes every sentence; None for none.

    Raises:
        DataError: if the backend's ids or special tokens are of another kind.
        ArgumentError: if `length` is too short.
    """

    #: what the file should be, in messages: "not a word tokenizer: ..."
    message_name: ClassVar[str]
    start_token: ClassVar[str]
    end_token: ClassVar[str]

    def __init__(self, backend: Tokenizer, *, length: int) -> None:
        self.backend = backend
        self.length = length
        self.start_id: int | None = backend.token_to_id(self.start_token)
        self.end_id: int | None = backend.token_to_id(self.end_token)
        if (self.start_id is None) != (self.end_id is None):
            raise DataError(
                f"not a {self.message_name}: it has only one of {self.start_token} and "
                f"{self.end_token}"
            )
        if self.end_id not in (None, self.vocab_size - 1):
            raise DataError(f"not a {self.message_name}: {self.end_token} must have the largest id")
        largest = max(backend.get_vocab().values(), default=-1)
        if largest >= self.vocab_size:  # no table of embeddings has such an id
            raise DataError(
                f"its {self.vocab_size} entries have ids up to {largest}; they have to count "
                "from 0 without a gap"
            )
        shortest = 1 if self.end_id is None else 3
        if length < shortest:
            raise ArgumentError(f"length is {length}; a sentence needs at least {shortest} ids")

    @classmethod
    def from_file(cls, path: Path, *, length: int) -> Self:
        """Read a ``tokenizer.json``.

        Raises:
            DataError: if the file is missing or is not such a tokenizer's.
        """
        if not path.is_file():
            raise DataError(f"{path}: the tokenizer file does not exist")
        try:
            backend = Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises a bare Exception for a bad file
            raise DataError(f"{path}: not a tokenizer file ({error})") from error
        try:
            return cls(backend, length=length)
        except DataError as error:
            raise DataError(f"{path}: {error}") from error

    def to_file(self, path: Path) -> None:
        """Write the vocabulary as ``tokenizer.json``."""
        path.write_text(self.backend.to_str(pretty=False), encoding="utf-8")

    @property
    def vocab_size(self) -> int:
        """Number of ids, special tokens included."""
        return int(self.backend.get_vocab_size())

    def __call__(self, sentences: Sequence[str]) -> Tensor:
        """Tokenise a batch.

        Args:
            sentences: B sentences, or one.

        Returns:
            Ids (B, L), int64, padded with 0.

        Raises:
            DataError: for a sentence that is not valid text.
        """
        sentences = [sentences] if isinstance(sentences, str) else sentences
        encodings = [self._encode(sentence) for sentence in sentences]
        self._report_unknown(sentences, encodings)
        rows = torch.zeros(len(sentences), self.length, dtype=torch.long)
        for row, encoding in zip(rows, encodings, strict=True):
            ids = self._with_ends(encoding.ids)
            row[: len(ids)] = torch.tensor(ids[: self.length], dtype=torch.long)
            if len(ids) > self.length and self.end_id is not None:
                row[-1] = self.end_id
        return rows

    def num_tokens(self, sentence: str) -> int:
        """Ids of a whole sentence, start and end included; those beyond `length` are cut."""
        return len(self._with_ends(self._encode(sentence).ids))

    def unknown_words(self, sentence: str) -> list[str]:
        """The words of a sentence that the vocabulary does not hold, in order; here none."""
        check_text(sentence)
        return []

    def _clean(self, sentence: str) -> str:
        return sentence

    def _report_unknown(self, sentences: Sequence[str], encodings: Sequence[Encoding]) -> None:
        """Called with each batch; here every word is known."""

    def _encode(self, sentence: str) -> Encoding:
        """A whole sentence without its start and its end."""
        check_text(sentence)
        return self.backend.encode(self._clean(sentence), add_special_tokens=False)

    def _with_ends(self, ids: list[int]) -> list[int]:
        if self.start_id is None or self.end_id is None:
            return ids
        return [self.start_id, *ids, self.end_id]


def padding_mask(token_ids: Tensor) -> Tensor:
    """Which of the ids are padding: bool, true for 0, as torch's attention takes it."""
    return token_ids == 0


def check_text(sentence: str) -> None:
    """Refuse what the library would refuse with an error that names no cause.

    Raises:
        DataError: if it is not text, or holds half of a surrogate pair, which UTF-8 cannot encode.
    """
    if not isinstance(sentence, str):
        raise DataError(f"a sentence has to be text, not {type(sentence).__name__}")
    try:
        sentence.encode("utf-8")
    except UnicodeEncodeError as error:
        raise DataError(
            f"the sentence {sentence[:60]!a} is not valid text: character {error.start + 1} is "
            "half of a surrogate pair"
        ) from error
