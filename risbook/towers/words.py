"""A word-level tokenizer whose vocabulary comes from the training expressions.

The first model reads words as the classic systems did: one id a word, no pieces. A word outside
the vocabulary becomes `[UNK]`, and the caller can ask which ones did. The file format is that of
Hugging Face tokenizers (``tokenizer.json``), so that other tools can open it.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from torch import Tensor

from risbook.errors import DataError

PAD, UNKNOWN = "[PAD]", "[UNK]"


class WordTokenizer:
    """Turns sentences into rows of word ids.

    Args:
        backend: a `tokenizers.Tokenizer` with `[PAD]` as id 0 and `[UNK]` as id 1.
        length: ids a sentence, longer sentences are cut, shorter ones padded with 0.

    >>> tokenizer = WordTokenizer.from_sentences(["left dog", "the red dog"], length=4)
    >>> tokenizer(["Red dog!", "left zebra"]).tolist()
    [[4, 2, 0, 0], [3, 1, 0, 0]]
    >>> tokenizer.unknown_words("left zebra")
    ['zebra']
    """

    def __init__(self, backend: Tokenizer, *, length: int) -> None:
        self.backend = backend
        self.length = length

    @classmethod
    def from_sentences(
        cls, sentences: Iterable[str], *, length: int, min_count: int = 1
    ) -> "WordTokenizer":
        """Build the vocabulary: every word that occurs at least `min_count` times.

        Args:
            sentences: the training expressions.
            length: ids a sentence.
            min_count: rarer words stay unknown.
        """
        backend = Tokenizer(models.WordLevel(unk_token=UNKNOWN))
        backend.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
        backend.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Whitespace(), pre_tokenizers.Punctuation("removed")]
        )
        trainer = trainers.WordLevelTrainer(
            special_tokens=[PAD, UNKNOWN], min_frequency=min_count, show_progress=False
        )
        backend.train_from_iterator(sentences, trainer)
        return cls(backend, length=length)

    @classmethod
    def from_file(cls, path: Path, *, length: int) -> "WordTokenizer":
        """Read a ``tokenizer.json``.

        Raises:
            DataError: if the file is missing or is no tokenizer file.
        """
        if not path.is_file():
            raise DataError(f"{path}: there is no tokenizer file here")
        try:
            return cls(Tokenizer.from_file(str(path)), length=length)
        except Exception as error:  # the library raises a bare Exception for a bad file
            raise DataError(f"{path}: not a tokenizer file ({error})") from error

    def to_file(self, path: Path) -> None:
        """Write the vocabulary as ``tokenizer.json``."""
        path.write_text(self.backend.to_str(pretty=False), encoding="utf-8")

    @property
    def vocabulary_size(self) -> int:
        """Number of ids, `[PAD]` and `[UNK]` included."""
        return int(self.backend.get_vocab_size())

    def __call__(self, sentences: Sequence[str]) -> Tensor:
        """Tokenise a batch.

        Args:
            sentences: B sentences.

        Returns:
            Word ids (B, length), int64, padded with 0.
        """
        rows = torch.zeros(len(sentences), self.length, dtype=torch.long)
        for row, sentence in zip(rows, sentences, strict=True):
            ids = self.backend.encode(sentence).ids[: self.length]
            row[: len(ids)] = torch.tensor(ids, dtype=torch.long)
        return rows

    def unknown_words(self, sentence: str) -> list[str]:
        """The words of a sentence that the vocabulary does not hold, in order."""
        encoding = self.backend.encode(sentence)
        text = encoding.tokens
        return [
            sentence[start:end].lower()
            for token, (start, end) in zip(text, encoding.offsets, strict=True)
            if token == UNKNOWN
        ]
