"""A few pictures of the committed sample, as pretraining sees them."""

from dataclasses import replace

import pytest

from risbook.data import open_data
from risbook.pretraining.image_corpus import Pictures, read_pictures


@pytest.fixture(scope="session")
def pictures() -> Pictures:
    data = open_data("refscenes-sample")
    pictures = read_pictures([data], split=data.expressions.splits[0])
    # As if half of the sentences came from a set that does not speak of places.
    objects = tuple(
        replace(one, placed=number % 2 == 0) for number, one in enumerate(pictures.objects)
    )
    return replace(pictures, objects=objects)
