"""A few images of the committed sample, as pretraining reads them."""

from dataclasses import replace

import pytest

from risbook.data import open_data
from risbook.pretraining.image_corpus import ImageCorpus, read_corpus


@pytest.fixture(scope="session")
def corpus() -> ImageCorpus:
    data = open_data("refscenes-sample")
    corpus = read_corpus([data], split=data.expressions.splits[0])
    # As if half of the sentences came from a set whose expressions name no place.
    objects = tuple(
        replace(entry, spatial=number % 2 == 0) for number, entry in enumerate(corpus.objects)
    )
    return replace(corpus, objects=objects)
