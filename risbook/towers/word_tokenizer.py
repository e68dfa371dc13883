"""A word-level tokenizer whose vocabulary comes from the training expressions.

Small models use one id per word and no pieces, as the earlier systems did. A word outside the
vocabulary becomes `[UNK]`, and a warning names it. The file format is that of Hugging Face
tokenizers (``tokenizer.json``), so that other tools can open it.

A CLIP text tower needs a start token and an end token, because it takes the sentence vector from
the end token. CLIP takes the largest id of the row for the end token, so `[END]` has the largest id
here, too.
"""

import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from torch import Tensor

from risbook.errors import DataError, RisbookError

PAD, UNKNOWN, START, END = "[PAD]", "[UNK]", "[START]", "[END]"

#: most unknown words that a tokenizer names; a text of another domain has thousands
MAX_NAMED = 20


class UnknownWordWarning(UserWarning):
    """A sentence held a word that the vocabulary does not know."""


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


def check_ids(backend: Tokenizer) -> None:
    """Refuse ids beyond the number of entries, which no table of embeddings has.

    Raises:
        DataError: if the ids of the vocabulary are not 0, 1, 2 and so on.
    """
    largest = max(backend.get_vocab().values(), default=-1)
    if largest >= backend.get_vocab_size():
        raise DataError(
            f"its {backend.get_vocab_size()} entries have ids up to {largest}; they have to count "
            "from 0 without a gap"
        )


def fill_rows(sentences: Sequence[Sequence[int]], *, length: int, end_id: int | None) -> Tensor:
    """Cut or pad sentences of ids to one length.

    As the released codes do: a sentence that is too long keeps its first ids, and the last of
    those becomes the end token.

    Args:
        sentences: the ids of B sentences, start and end tokens included.
        length: ids per row, L.
        end_id: the end token, None where there is none.

    Returns:
        Ids (B, L), int64, padded with 0.

    >>> fill_rows([[7, 3, 9], [7, 3, 4, 5, 9]], length=4, end_id=9).tolist()
    [[7, 3, 9, 0], [7, 3, 4, 9]]
    """
    rows = torch.zeros(len(sentences), length, dtype=torch.long)
    for row, ids in zip(rows, sentences, strict=True):
        row[: len(ids)] = torch.tensor(ids[:length], dtype=torch.long)
        if len(ids) > length and end_id is not None:
            row[-1] = end_id
    return rows


class WordTokenizer:
    """Turns sentences into rows of word ids.

    Args:
        backend: a `tokenizers.Tokenizer` with `[PAD]` as id 0 and `[UNK]` as id 1. Where it also
            has `[START]` and `[END]`, every sentence begins and ends with them.
        length: ids per sentence, longer sentences are cut, shorter ones padded with 0.

    Raises:
        DataError: if the backend's special tokens have other ids, or `length` is too short.

    >>> tokenizer = WordTokenizer.from_sentences(["left dog", "the red dog"], length=4)
    >>> tokenizer(["Red dog!", "left dog"]).tolist()
    [[4, 2, 0, 0], [3, 2, 0, 0]]
    >>> tokenizer.unknown_words("left zebra")
    ['zebra']
    >>> tokenizer = WordTokenizer.from_sentences(["left dog"], length=4, ends=True)
    >>> tokenizer(["dog", "left dog dog"]).tolist()
    [[2, 3, 5, 0], [2, 4, 3, 5]]
    """

    def __init__(self, backend: Tokenizer, *, length: int) -> None:
        ids = {token: backend.token_to_id(token) for token in (PAD, UNKNOWN, START, END)}
        if (ids[PAD], ids[UNKNOWN]) != (0, 1):
            raise DataError(
                f"not a word tokenizer: {PAD} and {UNKNOWN} must have the ids 0 and 1, "
                f"not {ids[PAD]} and {ids[UNKNOWN]}"
            )
        if (ids[START] is None) != (ids[END] is None):
            raise DataError(f"not a word tokenizer: it has only one of {START} and {END}")
        if ids[END] is not None and ids[END] != backend.get_vocab_size() - 1:
            raise DataError(f"not a word tokenizer: {END} must have the largest id")
        check_ids(backend)
        shortest = 1 if ids[END] is None else 3
        if length < shortest:
            raise RisbookError(f"length is {length}; a sentence needs at least {shortest} ids")
        # The letters "[PAD]" in a sentence are text, not padding.
        backend.encode_special_tokens = True
        self.backend = backend
        self.length = length
        self._start, self._end = ids[START], ids[END]
        self._reported: set[str] = set()
        self._named_count = 0

    @classmethod
    def from_sentences(
        cls, sentences: Iterable[str], *, length: int, min_count: int = 1, ends: bool = False
    ) -> "WordTokenizer":
        """Build the vocabulary: every word that occurs at least `min_count` times.

        Args:
            sentences: the training expressions.
            length: ids per sentence, start and end tokens included.
            min_count: rarer words stay unknown.
            ends: open every sentence with `[START]` and close it with `[END]`, as CLIP does.
        """
        backend = Tokenizer(models.WordLevel(unk_token=UNKNOWN))
        backend.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
        backend.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Whitespace(), pre_tokenizers.Punctuation("removed")]
        )
        trainer = trainers.WordLevelTrainer(
            special_tokens=[PAD, UNKNOWN, *([START] if ends else [])],
            min_frequency=min_count,
            show_progress=False,
        )
        backend.train_from_iterator(sentences, trainer)
        if ends:
            backend.add_special_tokens([END])  # last, and so the largest id
            # For other programs that read the file: `__call__` inserts both tokens itself.
            backend.post_processor = processors.TemplateProcessing(
                single=f"{START} $A {END}",
                special_tokens=[(token, backend.token_to_id(token)) for token in (START, END)],
            )
        return cls(backend, length=length)

    @classmethod
    def from_file(cls, path: Path, *, length: int) -> "WordTokenizer":
        """Read a ``tokenizer.json``.

        Raises:
            DataError: if the file is missing or is not a tokenizer file.
        """
        backend = read_backend(path)
        try:
            return cls(backend, length=length)
        except DataError as error:
            raise DataError(f"{path}: {error}") from error

    def to_file(self, path: Path) -> None:
        """Write the vocabulary as ``tokenizer.json``."""
        path.write_text(self.backend.to_str(pretty=False), encoding="utf-8")

    @property
    def vocabulary_size(self) -> int:
        """Number of ids, special tokens included."""
        return int(self.backend.get_vocab_size())

    @property
    def end_id(self) -> int | None:
        """Id of `[END]`, the largest one; None where sentences are not closed."""
        return self._end

    def __call__(self, sentences: Sequence[str]) -> Tensor:
        """Tokenise a batch.

        Unknown words cause one warning per batch. Each word is named once in the life of the
        tokenizer, at most `MAX_NAMED` in all, and not if `unknown_words` has returned it.

        Args:
            sentences: B sentences, or one.

        Returns:
            Word ids (B, length), int64, padded with 0.

        Raises:
            DataError: for a sentence that is not valid text.
        """
        sentences = [sentences] if isinstance(sentences, str) else sentences
        for sentence in sentences:
            check_text(sentence)
        batch = [self.backend.encode(s, add_special_tokens=False).ids for s in sentences]
        self._warn([s for s, ids in zip(sentences, batch, strict=True) if 1 in ids])
        if self._start is not None and self._end is not None:
            batch = [[self._start, *ids, self._end] for ids in batch]
        return fill_rows(batch, length=self.length, end_id=self._end)

    def num_tokens(self, sentence: str) -> int:
        """Ids of a whole sentence, start and end included; those beyond `length` are cut."""
        check_text(sentence)
        words = len(self.backend.encode(sentence, add_special_tokens=False).ids)
        return words + (0 if self._end is None else 2)

    def unknown_words(self, sentence: str) -> list[str]:
        """The words of a sentence that the vocabulary does not hold, in order.

        Afterwards `__call__` does not warn of them. A sentence that is not valid text is a
        `DataError`.
        """
        check_text(sentence)
        encoding = self.backend.encode(sentence, add_special_tokens=False)
        words = [
            sentence[start:end].lower()
            for token, (start, end) in zip(encoding.tokens, encoding.offsets, strict=True)
            if token == UNKNOWN
        ]
        self._reported.update(words)
        return words

    def _warn(self, sentences: Sequence[str]) -> None:
        """Warn of the unknown words in these sentences that were not reported before."""
        reported = self._reported.copy()
        words = [word for sentence in sentences for word in self.unknown_words(sentence)]
        new = [word for word in dict.fromkeys(words) if word not in reported]
        named = new[: max(0, MAX_NAMED - self._named_count)]
        if not named:
            return
        self._named_count += len(named)
        more = "; more are not named" if self._named_count == MAX_NAMED else ""
        warnings.warn(
            f"words that the vocabulary does not hold, read as {UNKNOWN}: {', '.join(named)}{more}",
            UnknownWordWarning,
            stacklevel=3,
        )


def read_backend(path: Path) -> Tokenizer:
    """Open a ``tokenizer.json``.

    Raises:
        DataError: if the file is missing or is not a tokenizer file.
    """
    if not path.is_file():
        raise DataError(f"{path}: the tokenizer file does not exist")
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises a bare Exception for a bad file
        raise DataError(f"{path}: not a tokenizer file ({error})") from error
