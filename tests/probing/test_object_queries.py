"""Queries name the right object of their scene, and the most similar one is selected."""

from pathlib import Path

import torch

from risbook.data import open_data
from risbook.probing.object_queries import ObjectQuery, load_queries, select_objects


def test_queries_name_the_mask_of_their_expression(tiny_world: Path) -> None:
    data = open_data(str(tiny_world / "refscenes"))
    image_ids = [row.image_id for row in data.expressions[:40]]
    queries = load_queries(data, image_ids)
    rows = [row for row in data.expressions if row.image_id in set(image_ids)]
    assert [query.sentence for query in queries] == [row.sent for row in rows]
    for query, row in list(zip(queries, rows, strict=True))[:10]:
        _, mask = data.objects(query.image_id)[query.object_number]
        assert (mask == data.mask(row)).all()


def test_the_most_similar_object_is_selected_whatever_its_length() -> None:
    vectors = {3: torch.tensor([[10.0, 1.0], [0.0, 0.1]]), 4: torch.tensor([[0.0, 1.0]])}
    queries = [ObjectQuery("left", 3, 0), ObjectQuery("right", 3, 1), ObjectQuery("only", 4, 0)]
    text = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    assert select_objects(vectors, queries, text).tolist() == [0, 1, 0]
