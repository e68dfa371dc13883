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
        length_shares: share of the sentences with 0, 1, 2, ... words; for the real sets rounded to
            0.001, up to 20 words.
    """

    sentences: int
    mean_words: float
    location_share: float
    distinct_words: int
    length_shares: tuple[float, ...]


def describe_sentences(sentences: Iterable[str]) -> SentenceStatistics:
    """Count words, location words and lengths of sentences.

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
        length_shares=tuple((np.bincount(lengths) / len(texts)).tolist()),
    )


#: Our counts on the val splits of the real sets (G-Ref: umd).
REAL_SENTENCES = {
    "RefCOCO": SentenceStatistics(
        sentences=10_834,
        mean_words=3.572,
        location_share=0.588,
        distinct_words=2_324,
        length_shares=(
            *(0, 0.092, 0.266, 0.235, 0.162, 0.096, 0.057, 0.037, 0.021, 0.014, 0.008),
            *(0.004, 0.003, 0.001, 0.001, 0.001),
        ),
    ),
    "RefCOCO+": SentenceStatistics(
        sentences=10_758,
        mean_words=3.586,
        location_share=0.075,
        distinct_words=2_968,
        length_shares=(
            *(0, 0.123, 0.258, 0.186, 0.166, 0.103, 0.066, 0.038, 0.028, 0.014, 0.006),
            *(0.005, 0.002, 0.002, 0, 0.001),
        ),
    ),
    "G-Ref": SentenceStatistics(
        sentences=4_896,
        mean_words=8.473,
        location_share=0.171,
        distinct_words=2_960,
        length_shares=(
            *(0, 0.004, 0.020, 0.052, 0.064, 0.094, 0.120, 0.091, 0.113, 0.100, 0.083),
            *(0.067, 0.056, 0.034, 0.026, 0.020, 0.017, 0.009, 0.008, 0.008, 0.003),
        ),
    ),
}
