"""Parts of drawn things: every kind has its own, and they lie where they are drawn."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from risbook.refscenes.parts import PARTS, PLAN_OF, object_from_record, part_at, part_labels
from risbook.refscenes.scene_renderer import sprite_of
from risbook.refscenes.scene_types import SUPERCATEGORY_OF, SceneObject


def drawn(thing: SceneObject) -> tuple[SceneObject, np.ndarray, np.ndarray]:
    """A thing alone: moved to its place in its own tile, its mask and colours."""
    sprite = sprite_of(thing, light=-1, shift=0)
    return replace(thing, x=sprite.foot[0], ground=sprite.foot[1]), sprite.mask, sprite.rgb


def test_every_kind_has_a_plan() -> None:
    assert set(PLAN_OF) == set(SUPERCATEGORY_OF)
    assert len(PARTS) == len(set(PARTS))


@pytest.mark.parametrize("kind", SUPERCATEGORY_OF)
@pytest.mark.parametrize("variant", [0, 1, 2])
def test_every_pixel_has_a_part_and_every_part_has_pixels(kind: str, variant: int) -> None:
    thing, mask, _ = drawn(SceneObject(kind, "white", "plain", 80.0, 0, 0, variant=variant))
    found = part_labels(thing, mask)
    assert found.shape == (mask.sum(),)
    assert {PARTS[i] for i in set(found.tolist())} == {name for name, _ in PLAN_OF[kind]}


@pytest.mark.parametrize("kind", SUPERCATEGORY_OF)
def test_parts_are_mirrored_with_the_thing(kind: str) -> None:
    maps = []
    for facing in ("right", "left"):
        thing, mask, _ = drawn(SceneObject(kind, "white", "plain", 60.0, 0, 0, facing=facing))
        painted = np.zeros(mask.shape, np.int64)
        painted[mask] = 1 + part_labels(thing, mask)
        maps.append(painted)
    right, left = maps[0], maps[1][:, ::-1]
    assert right.shape == left.shape
    both = (right > 0) & (left > 0)
    assert (right == left)[both].mean() > 0.93


@pytest.mark.parametrize("kind", ["man", "woman", "child"])
def test_trousers_and_shirts_are_legs_and_bodies(kind: str) -> None:
    thing, mask, rgb = drawn(SceneObject(kind, "red", "plain", 80.0, 0, 0, lower_colour="blue"))
    red = rgb[mask][:, 0] - rgb[mask][:, 2]
    names = np.array(PARTS)[part_labels(thing, mask)]
    assert (names[red < -60] == "person legs").mean() > 0.85
    # A face with brown cheeks is reddish too, a shirt is far more so.
    assert (names[red > 130] == "person body").mean() > 0.85


@pytest.mark.parametrize("holding", ["balloon", "umbrella", "flag", "bag"])
@pytest.mark.parametrize("kind", ["man", "woman", "child"])
def test_what_is_held_is_a_held_thing(kind: str, holding: str) -> None:
    thing = SceneObject(
        kind, "white", "plain", 80.0, 0, 0, lower_colour="white", holding=holding,
        holding_colour="green",
    )  # fmt: skip
    thing, mask, rgb = drawn(thing)
    green = rgb[mask][:, 1] - np.maximum(rgb[mask][:, 0], rgb[mask][:, 2])
    names = np.array(PARTS)[part_labels(thing, mask)]
    assert (names[green > 30] == "held thing").mean() > 0.85


def test_a_place_of_a_dog() -> None:
    dog = SceneObject("dog", "brown", "plain", 50, 60, 90)
    assert part_at(dog, x=85, y=50) == "animal head"
    assert part_at(dog, x=60, y=85) == "animal legs"
    assert part_at(dog, x=35, y=50) == "animal body"


def test_things_come_back_from_the_file(tiny_world: Path) -> None:
    scenes = json.loads((tiny_world / "refscenes" / "scenes.json").read_text())
    things = [object_from_record(record) for scene in scenes.values() for record in scene["things"]]
    assert {thing.kind for thing in things} == set(SUPERCATEGORY_OF)
    assert all(thing.height > 5 and thing.facing in ("left", "right") for thing in things)
