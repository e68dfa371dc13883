"""A word-level tokenizer whose vocabulary comes from the training expressions.

Small models use one id per word and no pieces, as the earlier systems did. A word outside the
vocabulary becomes `[UNK]`, and a warning names it.
"""

from collections.abc import Iterable, Sequence
from typing import Self

from tokenizers import (
    Encoding,
    Tokenizer,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

from risbook.errors import DataError, warn_user
from risbook.tokenizers.sentence_tokenizer import SentenceTokenizer

PAD, UNKNOWN, START, END = "[PAD]", "[UNK]", "[START]", "[END]"

#: most unknown words that a tokenizer names; a text of another domain has thousands
MAX_NAMED = 20


class UnknownWordWarning(UserWarning):
    """A sentence held a word that the vocabulary does not know."""


class WordTokenizer(SentenceTokenizer):
    """Turns sentences into rows of word ids.

    Args:
        backend: a `tokenizers.Tokenizer` with `[PAD]` as id 0 and `[UNK]` as id 1. Where it also
            has `[START]` and `[END]`, every sentence begins and ends with them.
        length: ids per sentence.

    >>> tokenizer = WordTokenizer.from_sentences(["left dog", "the red dog"], length=4)
    >>> tokenizer(["Red dog!", "left dog"]).tolist()
    [[4, 2, 0, 0], [3, 2, 0, 0]]
    >>> tokenizer.unknown_words("left zebra")
    ['zebra']
    >>> tokenizer = WordTokenizer.from_sentences(["left dog"], length=4, ends=True)
    >>> tokenizer(["dog", "left dog dog"]).tolist()
    [[2, 3, 5, 0], [2, 4, 3, 5]]
    """

    message_name = "word tokenizer"
    start_token, end_token = START, END

    def __init__(self, backend: Tokenizer, *, length: int) -> None:
        pad_id, unknown_id = backend.token_to_id(PAD), backend.token_to_id(UNKNOWN)
        if (pad_id, unknown_id) != (0, 1):
            raise DataError(
                f"not a word tokenizer: {PAD} and {UNKNOWN} must have the ids 0 and 1, "
                f"not {pad_id} and {unknown_id}"
            )
        super().__init__(backend, length=length)
        # The letters "[PAD]" in a sentence are text, not padding.
        backend.encode_special_tokens = True
        self._reported: set[str] = set()
        self._named_count = 0

    @classmethod
    def from_sentences(
        cls, sentences: Iterable[str], *, length: int, min_count: int = 1, ends: bool = False
    ) -> Self:
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

    def unknown_words(self, sentence: str) -> list[str]:
        """The words of a sentence that the vocabulary does not hold, in order."""
        return _unknown_words(sentence, self._encode(sentence))

    def _report_unknown(self, sentences: Sequence[str], encodings: Sequence[Encoding]) -> None:
        """Warn of unknown words, once per batch.

        Each word is named once in the life of the tokenizer, at most `MAX_NAMED` in all.
        """
        words: dict[str, None] = {}
        for sentence, encoding in zip(sentences, encodings, strict=True):
            words |= dict.fromkeys(_unknown_words(sentence, encoding))
        new = [word for word in words if word not in self._reported]
        self._reported.update(new)
        named = new[: max(0, MAX_NAMED - self._named_count)]
        if named:
            self._named_count += len(named)
            more = "; more are not named" if self._named_count == MAX_NAMED else ""
            listed = ", ".join(named) + more
            message = f"words that the vocabulary does not hold, read as {UNKNOWN}: {listed}"
            warn_user(message, UnknownWordWarning)


def _unknown_words(sentence: str, encoding: Encoding) -> list[str]:
    return [
        sentence[start:end].lower()
        for token, (start, end) in zip(encoding.tokens, encoding.offsets, strict=True)
        if token == UNKNOWN
    ]
