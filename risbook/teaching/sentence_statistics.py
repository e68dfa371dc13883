"""Statistics of sentences, and our own counts of the real data sets to compare with.

The real sentences are not part of the package. The counts were made in 2026 on lists of the val
splits that public projects carry; a test repeats them where the lists are present.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from risbook.teaching.word_functions import word_functions


@dataclass(frozen=True)
class SentenceStatistics:
    """What is counted on a list of sentences.

    Args:
        sentences: number of sentences.
        mean_words: mean number of words per sentence.
        location_share: share of the sentences with a location word, see `word_functions`.
        distinct_words: number of different words in all sentences.
    """

    sentences: int
    mean_words: float
    location_share: float
    distinct_words: int


def describe_sentences(sentences: Iterable[str]) -> SentenceStatistics:
    """Count sentences, words and location words.

    Args:
        sentences: normalised sentences, in lower case.

    Raises:
        ValueError: there is no sentence.

    >>> statistics = describe_sentences(["left dog", "dog"])
    >>> statistics.mean_words, statistics.location_share, statistics.distinct_words
    (1.5, 0.5, 2)
    """
    texts = list(sentences)
    if not texts:
        raise ValueError("describe_sentences: there is no sentence.")
    lengths = np.array([len(text.split()) for text in texts])
    return SentenceStatistics(
        sentences=len(texts),
        mean_words=float(lengths.mean()),
        location_share=float(np.mean([word_functions(text)["location"] for text in texts])),
        distinct_words=len({word for text in texts for word in text.split()}),
    )


#: Our counts on the val splits of the real sets (G-Ref: umd).
REAL_SENTENCES = {
    "RefCOCO": SentenceStatistics(
        sentences=10_834,
        mean_words=3.572,
        location_share=0.588,
        distinct_words=2_324,
    ),
    "RefCOCO+": SentenceStatistics(
        sentences=10_758,
        mean_words=3.586,
        location_share=0.075,
        distinct_words=2_968,
    ),
    "G-Ref": SentenceStatistics(
        sentences=4_896,
        mean_words=8.473,
        location_share=0.171,
        distinct_words=2_960,
    ),
}
