"""The two photographs, from scikit-image or reduced."""

import importlib.util

import numpy as np
import pytest

from risbook.data import load_photograph
from risbook.data.masks import mask_box
from risbook.data.photographs import PHOTOGRAPHS, fill_polygons
from risbook.errors import ArgumentError


@pytest.fixture
def without_scikit_image(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == "skimage" else find(name, *a)
    )


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_every_sentence_has_a_mask_of_the_image_size(name, capsys):
    pytest.importorskip("skimage")
    photograph = load_photograph(name)
    assert capsys.readouterr().out == ""
    assert photograph.image.shape == {"astronaut": (512, 512, 3), "coffee": (400, 600, 3)}[name]
    assert photograph.image.dtype == np.uint8
    assert len(photograph.expressions) >= 2 * len(photograph.masks)
    for sentence, mask in photograph.expressions:
        assert sentence
        assert mask.dtype == bool
        assert mask.shape == photograph.image.shape[:2]
        assert mask.sum() > 1000
    assert "scikit-image" in photograph.credit
    assert repr(photograph).startswith(f"Photograph('{name}', ")


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_the_reduced_copy_shows_the_same_objects(name, capsys, without_scikit_image):
    small = load_photograph(name)
    assert capsys.readouterr().out.count("\n") == 1
    for mask in small.masks.values():
        assert mask.shape == small.image.shape[:2]
    share = {key: mask.mean() for key, mask in small.masks.items()}
    expected = {"astronaut": ("woman", 0.42), "coffee": ("saucer", 0.23)}[name]
    assert abs(share[expected[0]] - expected[1]) < 0.06


def test_a_nearer_object_hides_a_farther_one(without_scikit_image):
    masks = load_photograph("coffee").masks
    for nearer, farther in (("cup", "saucer"), ("spoon", "saucer"), ("spoon", "cup")):
        assert not (masks[nearer] & masks[farther]).any()
    assert (masks["coffee"] & ~masks["cup"]).sum() == 0  # the coffee is a part of the cup
    masks = load_photograph("astronaut").masks
    assert not (masks["woman"] & masks["helmet"]).any()
    assert not (masks["woman"] & masks["flag"]).any()


def test_colours_lie_under_the_outlines(without_scikit_image):
    photograph = load_photograph("astronaut")
    red, green, blue = (photograph.image[..., channel].astype(int) for channel in range(3))
    orange = (red > 180) & (green < 140) & (blue < 100)
    assert orange[photograph.masks["woman"]].mean() > 0.3
    others = ("flag", "space shuttle", "helmet")
    assert all(orange[photograph.masks[name]].mean() < 0.05 for name in others)


def test_a_polygon_fills_whole_pixels():
    mask = fill_polygons([[1, 1, 4, 1, 4, 3, 1, 3]], (5, 6))
    assert mask_box(mask) == (1, 1, 3, 2)
    assert fill_polygons([[1, 1, 4, 1, 4, 3, 1, 3]], (10, 12), scale=2).sum() == 24


def test_an_unknown_photograph_is_refused():
    with pytest.raises(ArgumentError, match="astronaut, coffee"):
        load_photograph("cat")
