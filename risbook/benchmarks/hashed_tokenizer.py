"""A stand-in for a vocabulary that is not on this machine: words become numbers by their hash.

It serves to measure speed. The ids have the form of CLIP's: start, words, end, padding.
"""

import zlib
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor


class HashedTokenizer:
    """Sentences to ids (B, L).

    Args:
        length: L.
        vocab_size: of the text tower; its last two ids are start and end, 0 is padding.
    """

    def __init__(self, *, length: int, vocab_size: int) -> None:
        self.length = length
        self.vocab_size = vocab_size

    def __call__(self, sentences: Sequence[str]) -> Tensor:
        """B sentences to ids (B, L)."""
        token_ids = torch.zeros(len(sentences), self.length, dtype=torch.int64)
        for row, sentence in zip(token_ids, sentences, strict=True):
            words = sentence.lower().split()[: self.length - 2]
            hashes = [1 + zlib.crc32(word.encode()) % (self.vocab_size - 3) for word in words]
            ids = [self.vocab_size - 2, *hashes, self.vocab_size - 1]
            row[: len(ids)] = torch.tensor(ids)
        return token_ids

    def num_tokens(self, sentence: str) -> int:
        """Words, start and end."""
        return len(sentence.split()) + 2

    def unknown_words(self, sentence: str) -> list[str]:
        """None: every word has a number."""
        return []

    def to_file(self, path: Path) -> None:
        """Write nothing: there is no vocabulary."""
