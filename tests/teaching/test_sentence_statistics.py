"""Statistics of sentences, and the counts of the real sets against their sentences."""

import gzip
import json

import pytest

from risbook.teaching import REAL_SENTENCES, describe_sentences


def test_statistics_of_four_sentences():
    statistics = describe_sentences(["a dog", "dog left of a bus", "far left", "third dog"])
    assert statistics.sentences == 4
    assert statistics.mean_words == 11 / 4
    assert statistics.location_share == 0.5  # "left of" is a relation
    assert statistics.distinct_words == 7


def test_no_sentence_is_an_error():
    with pytest.raises(ValueError, match="no sentence"):
        describe_sentences([])


@pytest.mark.parametrize(
    ("name", "file"),
    [("RefCOCO", "refcoco"), ("RefCOCO+", "refcoco+"), ("G-Ref", "refcocog_umd")],
)
def test_real_counts_are_those_of_the_real_sentences(name, file, photographs):
    path = photographs / "photographs" / "boxes" / f"{file}.json.gz"
    with gzip.open(path) as stream:
        refs = json.load(stream)
    texts = [text for ref in refs if ref["split"] == "val" for _, text in ref["sentences"]]
    counted, stored = describe_sentences(texts), REAL_SENTENCES[name]
    assert (counted.sentences, counted.distinct_words) == (
        stored.sentences,
        stored.distinct_words,
    )
    assert counted.mean_words == pytest.approx(stored.mean_words, abs=0.0006)
    assert counted.location_share == pytest.approx(stored.location_share, abs=0.0006)
