"""The interface of tokenizers, and a stand-in for systems that are built for their shapes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from torch import Tensor

from risbook.errors import RisbookError


class Tokenizer(Protocol):
    """The tokenizer of a text tower: sentences to token ids.

    Attributes:
        length: L, token ids per sentence.
    """

    length: int

    def __call__(self, sentences: Sequence[str]) -> Tensor:
        """B sentences to ids (B, L)."""

    def num_tokens(self, sentence: str) -> int:
        """Ids of a whole sentence; those beyond `length` are cut."""

    def unknown_words(self, sentence: str) -> list[str]:
        """The words of a sentence that are not in the vocabulary."""

    def to_file(self, path: Path) -> None:
        """Write what is needed to make the same tokenizer again."""


class ShapeOnlyTokenizer:
    """In place of a tokenizer where a system is made for its shapes alone.

    Args:
        length: token ids per sentence.
    """

    def __init__(self, length: int) -> None:
        self.length = length

    def __call__(self, sentences: Sequence[str]) -> Tensor:
        """Raises RisbookError."""
        raise RisbookError("this system was made without its tokenizer")

    def num_tokens(self, sentence: str) -> int:
        """Always 0."""
        return 0

    def unknown_words(self, sentence: str) -> list[str]:
        """Always empty."""
        return []

    def to_file(self, path: Path) -> None:
        """Raises RisbookError."""
        raise RisbookError("this system was made without its tokenizer")
