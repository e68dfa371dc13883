"""Word functions: every location word counts, unless it belongs to a relation or a direction."""

import pytest

from risbook.teaching import word_functions


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("sheep", {"category"}),
        ("white sheep", {"category", "attribute"}),
        ("largest animal", {"category", "attribute"}),
        ("lady wearing gray hat", {"category", "attribute"}),
        ("the sheep on far left", {"category", "location"}),
        ("leftmost", {"location"}),
        ("third sheep from right", {"category", "location"}),
        ("sheep behind the bus", {"category", "relation"}),
        ("sheep left of the bus", {"category", "relation"}),
        ("left sheep next to the bus", {"category", "location", "relation"}),
        ("dog facing left", {"category", "attribute"}),
        ("dog in front of the bus", {"category", "relation"}),
        ("dog in front", {"category", "location"}),
        ("the one that smiles", set()),
    ],
)
def test_functions_of_a_sentence(sentence: str, expected: set[str]) -> None:
    functions = word_functions(sentence)
    assert list(functions) == ["category", "attribute", "location", "relation"]
    assert {name for name, occurs in functions.items() if occurs} == expected
