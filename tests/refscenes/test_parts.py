"""Parts of objects: every category has its own, and they lie where they are drawn."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from risbook.refscenes.parts import PART_BOXES, PARTS, part_labels
from risbook.refscenes.scene_renderer import render_sprite
from risbook.refscenes.scene_types import SUPERCATEGORY_OF, SceneObject


def render_alone(obj: SceneObject) -> tuple[SceneObject, np.ndarray, np.ndarray]:
    """An object moved to its position in its own tile, its mask and colours."""
    sprite = render_sprite(obj, light=-1, seed=0)
    return replace(obj, x=sprite.foot[0], ground=sprite.foot[1]), sprite.mask, sprite.rgb


def test_every_kind_has_part_boxes() -> None:
    assert set(PART_BOXES) == set(SUPERCATEGORY_OF)
    assert len(PARTS) == len(set(PARTS))


@pytest.mark.parametrize("category", SUPERCATEGORY_OF)
@pytest.mark.parametrize("variant", [0, 1, 2])
def test_every_pixel_has_a_part_and_every_part_has_pixels(category: str, variant: int) -> None:
    obj, mask, _ = render_alone(
        SceneObject(category, "white", "plain", 80.0, 0, 0, variant=variant)
    )
    labels = part_labels(obj, mask)
    assert labels.shape == (mask.sum(),)
    assert {PARTS[i] for i in set(labels.tolist())} == {name for name, _ in PART_BOXES[category]}


@pytest.mark.parametrize("category", SUPERCATEGORY_OF)
def test_parts_are_mirrored_with_the_object(category: str) -> None:
    maps = []
    for facing in ("right", "left"):
        obj, mask, _ = render_alone(
            SceneObject(category, "white", "plain", 60.0, 0, 0, facing=facing)
        )
        label_map = np.zeros(mask.shape, np.int64)
        label_map[mask] = 1 + part_labels(obj, mask)
        maps.append(label_map)
    right, left = maps[0], maps[1][:, ::-1]
    assert right.shape == left.shape
    both = (right > 0) & (left > 0)
    assert (right == left)[both].mean() > 0.93


@pytest.mark.parametrize("category", ["man", "woman", "child"])
def test_trousers_and_shirts_are_legs_and_bodies(category: str) -> None:
    obj, mask, rgb = render_alone(
        SceneObject(category, "red", "plain", 80.0, 0, 0, lower_colour="blue")
    )
    red = rgb[mask][:, 0] - rgb[mask][:, 2]
    names = np.array(PARTS)[part_labels(obj, mask)]
    assert (names[red < -60] == "person legs").mean() > 0.85
    # A face with brown cheeks is reddish too, a shirt is far more so.
    assert (names[red > 130] == "person body").mean() > 0.85


@pytest.mark.parametrize("holding", ["balloon", "umbrella", "flag", "bag"])
@pytest.mark.parametrize("category", ["man", "woman", "child"])
def test_what_is_held_is_a_held_thing(category: str, holding: str) -> None:
    obj = SceneObject(
        category, "white", "plain", 80.0, 0, 0, lower_colour="white", holding=holding,
        holding_colour="green",
    )  # fmt: skip
    obj, mask, rgb = render_alone(obj)
    green = rgb[mask][:, 1] - np.maximum(rgb[mask][:, 0], rgb[mask][:, 2])
    names = np.array(PARTS)[part_labels(obj, mask)]
    assert (names[green > 30] == "held thing").mean() > 0.85


def test_parts_of_a_dog() -> None:
    dog = SceneObject("dog", "brown", "plain", 50, 60, 90)
    for x, y, part in ((85, 50, "head"), (60, 85, "legs"), (35, 50, "body")):
        pixel = np.zeros((100, 100), np.bool_)
        pixel[y, x] = True
        assert PARTS[part_labels(dog, pixel)[0]] == f"animal {part}"


def test_objects_are_read_back_from_the_file(tiny_world: Path) -> None:
    scenes = json.loads((tiny_world / "refscenes" / "scenes.json").read_text())
    objects = [
        SceneObject.from_record(record) for scene in scenes.values() for record in scene["things"]
    ]
    assert {obj.category for obj in objects} == set(SUPERCATEGORY_OF)
    assert all(obj.height > 5 and obj.facing in ("left", "right") for obj in objects)
