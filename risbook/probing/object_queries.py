"""Sentences as queries for one of the outlined objects of a scene.

A query separates words from outlines: all objects are given, and a method has to select one. It is
scored by the share of right selections, the selection accuracy p.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from torch import Tensor
from torch.nn import functional as F

from risbook.data.dataset import ReferData


class ObjectQuery(NamedTuple):
    """A sentence, the scene, and which of its objects is described.

    Args:
        sentence: the referring expression.
        image_id: the scene.
        object_number: place of the described object in ``data.objects(image_id)``.
    """

    sentence: str
    image_id: int
    object_number: int


def load_queries(data: ReferData, image_ids: Iterable[int]) -> list[ObjectQuery]:
    """Load all expressions of some scenes, in the order of the data set."""
    wanted = set(image_ids)
    queries = []
    for row in data.expressions:
        if row.image_id in wanted:
            annotations = data.instances.annotations_of(row.image_id)
            object_ids = [annotation.ann_id for annotation in annotations]
            number = object_ids.index(row.ann_id)
            queries.append(ObjectQuery(row.sent, row.image_id, number))
    return queries


def select_objects(
    vectors_of: Mapping[int, Tensor], queries: Sequence[ObjectQuery], text_vectors: Tensor
) -> npt.NDArray[np.int64]:
    """Select the most similar object of the scene for every query.

    Args:
        vectors_of: scene -> vectors (K, D) of its K objects, of any length.
        queries: N queries.
        text_vectors: unit vectors (N, D) of their sentences.

    Returns:
        (N,), numbers of objects.

    >>> import torch
    >>> objects = {7: torch.tensor([[1.0, 0.0], [0.0, 2.0]])}
    >>> queries = [ObjectQuery("dog", 7, 1)]
    >>> select_objects(objects, queries, torch.tensor([[0.0, 1.0]])).tolist()
    [1]
    """
    selected = []
    for query, text_vector in zip(queries, text_vectors, strict=True):
        cosines = F.normalize(vectors_of[query.image_id], dim=-1) @ text_vector
        selected.append(int(cosines.argmax()))
    return np.array(selected, dtype=np.int64)
