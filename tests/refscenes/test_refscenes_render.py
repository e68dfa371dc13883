"""The painter of the drawn world: deterministic, honest about what can be seen, and complete."""

from dataclasses import replace

import numpy as np
import pytest

from risbook.errors import DataError
from risbook.refscenes import scene_types
from risbook.refscenes.background_types import PLACES, TIMES
from risbook.refscenes.backgrounds import render_background
from risbook.refscenes.colours import RGB_OF
from risbook.refscenes.scene_renderer import (
    MIN_AREA,
    MIN_VISIBLE,
    RenderedScene,
    render_scene,
    sprite_of,
)
from risbook.refscenes.scene_sampler import FOUND_IN, THEMES, sample_scene
from risbook.refscenes.scene_types import Scene, SceneObject

ALL_KINDS = [kind for kinds in scene_types.CATEGORIES.values() for kind in kinds]


def painted(seed: int, theme: str) -> RenderedScene:
    rng = np.random.default_rng(seed)
    return render_scene(sample_scene(rng, theme=theme), rng)


@pytest.fixture(scope="module")
def scenes() -> list[tuple[str, RenderedScene]]:
    return [(THEMES[seed % 3], painted(seed, THEMES[seed % 3])) for seed in range(240)]


def thing_of(kind: str, colour: str, **more: object) -> SceneObject:
    thing = SceneObject(kind, colour, "plain", 40.0, 60, 90)
    if thing.group == "people":
        thing = replace(thing, lower_colour="gray")
    return replace(thing, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("theme", THEMES)
def test_the_same_seed_gives_the_same_bytes(theme: str) -> None:
    first, other = painted(5, theme), painted(5, theme)
    assert first.image.tobytes() == other.image.tobytes()
    assert first.ids.tobytes() == other.ids.tobytes()
    assert first.scene == other.scene
    assert first.seen == other.seen


def test_no_two_seeds_give_the_same_picture(scenes: list[tuple[str, RenderedScene]]) -> None:
    assert len({one.image.tobytes() for _, one in scenes}) == len(scenes)


def test_ids_and_seen_tell_the_same_story(scenes: list[tuple[str, RenderedScene]]) -> None:
    for _, one in scenes:
        assert one.image.shape == (one.scene.height, one.scene.width, 3)
        assert one.image.dtype == np.uint8
        assert one.ids.dtype == np.uint8
        assert one.ids.shape == one.image.shape[:2]
        assert [seen.thing for seen in one.seen] == list(one.scene.things)
        assert set(np.unique(one.ids)) <= set(range(len(one.seen) + 1))
        for index, seen in enumerate(one.seen):
            rows, columns = np.nonzero(one.ids == index + 1)
            box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
            assert seen.box == box
            assert seen.area == len(rows)


def test_every_thing_can_be_seen(scenes: list[tuple[str, RenderedScene]]) -> None:
    shares = [seen.visible for _, one in scenes for seen in one.seen]
    areas = [seen.area for _, one in scenes for seen in one.seen]
    assert min(shares) >= MIN_VISIBLE
    assert max(shares) <= 1
    assert min(areas) >= MIN_AREA
    assert 0.15 < np.mean(np.array(shares) < 0.95) < 0.7  # some things do hide others


def test_themes_and_counts(scenes: list[tuple[str, RenderedScene]]) -> None:
    several = 0
    for theme, one in scenes:
        kinds = [thing.kind for thing in one.scene.things]
        people = sum(thing.group == "people" for thing in one.scene.things)
        most = max(kinds.count(kind) for kind in kinds)
        assert 3 <= len(kinds) <= 9
        if theme == "people":
            assert people >= 2
            assert people < len(kinds)
        if theme == "things":
            assert people <= 1
            assert (
                max(kinds.count(k) for k in kinds if scene_types.SUPERCATEGORY_OF[k] != "people")
                >= 2
            )
        several += most >= 2
    assert several > 0.8 * len(scenes)


def test_the_world_is_varied(scenes: list[tuple[str, RenderedScene]]) -> None:
    assert any(one.scene.width > one.scene.height for _, one in scenes)
    assert any(one.scene.width < one.scene.height for _, one in scenes)
    assert {one.scene.place for _, one in scenes} == set(PLACES)
    assert {one.scene.time for _, one in scenes} == {"", *TIMES}
    assert {thing.kind for _, one in scenes for thing in one.scene.things} == set(ALL_KINDS)
    grounds = [list(one.scene.things) for _, one in scenes]
    assert all(
        [thing.ground for thing in things] == sorted(thing.ground for thing in things)
        for things in grounds
    )


def test_scenes_use_only_allowed_words(scenes: list[tuple[str, RenderedScene]]) -> None:
    for _, one in scenes:
        for thing in one.scene.things:
            assert thing.kind in FOUND_IN[one.scene.place] or thing.kind == "boat"
            assert thing.colour in scene_types.COLOURS_OF[thing.kind]
            assert thing.pattern in scene_types.PATTERNS_OF[thing.kind]
            assert thing.hat in scene_types.HATS
            assert thing.holding in scene_types.HELD
            assert bool(thing.hat) == bool(thing.hat_colour)
            assert bool(thing.holding) == bool(thing.holding_colour)
            assert bool(thing.lower_colour) == (thing.group == "people")


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_every_kind_paints_in_every_allowed_colour(kind: str) -> None:
    looks = set()
    for colour in scene_types.COLOURS_OF[kind]:
        for pattern in scene_types.PATTERNS_OF[kind]:
            sprite = sprite_of(thing_of(kind, colour, pattern=pattern), -1, 0)
            rows = np.flatnonzero(sprite.mask.any(1))
            assert sprite.mask.sum() > 100
            assert abs(sprite.foot[1] - rows[0] - 40) <= 4  # as high as the facts say
            assert abs(rows[-1] + 1 - sprite.foot[1]) <= 3  # and standing on its foot point
            looks.add(sprite.rgb.tobytes())
    assert len(looks) == len(scene_types.COLOURS_OF[kind]) * len(scene_types.PATTERNS_OF[kind])


@pytest.mark.parametrize(
    ("kind", "colour"),
    [(kind, colour) for kind in ALL_KINDS for colour in scene_types.COLOURS_OF[kind]],
)
def test_the_colour_word_rules_the_surface(kind: str, colour: str) -> None:
    names = [name for name in scene_types.COLOURS if name in scene_types.COLOURS_OF[kind]]
    other = next(name for name in names if name != colour)
    sprite, twin = (sprite_of(thing_of(kind, c), -1, 0) for c in (colour, other))
    # What changes with the colour word is the coloured surface: a good share of the thing.
    surface = sprite.mask & (np.abs(sprite.rgb - twin.rgb).sum(2) > 30)
    assert surface.sum() > 0.18 * sprite.mask.sum()
    # Its inside: at the rim the ink is mixed with outlines.
    inside = surface.copy()
    for axis, step in ((0, 1), (0, -1), (1, 1), (1, -1)):
        inside &= np.roll(surface, step, axis)
    middle = np.median(sprite.rgb[inside if inside.sum() > 40 else surface], axis=0)
    distances = {name: np.abs(middle - np.array(RGB_OF[name])).sum() for name in names}
    assert min(distances, key=lambda name: distances[name]) == colour


def test_facing_mirrors_the_shape() -> None:
    right = sprite_of(thing_of("dog", "brown"), -1, 0)
    left = sprite_of(thing_of("dog", "brown", facing="left"), -1, 0)
    assert np.array_equal(right.mask, left.mask[:, ::-1])
    assert left.foot[0] == left.mask.shape[1] - right.foot[0]


def test_hat_and_held_thing_belong_to_the_person() -> None:
    bare = sprite_of(thing_of("woman", "red"), -1, 0).mask.sum()
    for hat in scene_types.HATS[1:]:
        thing = thing_of("woman", "red", hat=hat, hat_colour="blue")
        assert sprite_of(thing, -1, 0).mask.sum() > bare
    for held in scene_types.HELD[1:]:
        thing = thing_of("woman", "red", holding=held, holding_colour="blue")
        assert sprite_of(thing, -1, 0).mask.sum() > bare + 20


def test_a_hidden_thing_is_moved_or_left_out() -> None:
    small = SceneObject("mug", "red", "plain", 16, 80, 100)
    large = SceneObject("bus", "blue", "plain", 50, 80, 104, variant=2)
    one = render_scene(Scene(160, 120, "street", "day", (small, large)), np.random.default_rng(0))
    kinds = [thing.kind for thing in one.scene.things]
    assert "bus" in kinds
    assert all(seen.visible >= MIN_VISIBLE and seen.area >= MIN_AREA for seen in one.seen)
    if "mug" in kinds:
        assert one.scene.things[kinds.index("mug")].x != small.x


@pytest.mark.parametrize("place", PLACES)
def test_every_place_has_its_own_light(place: str) -> None:
    times = ("",) if PLACES[place].indoors else TIMES
    means = []
    for time in times:
        scene = Scene(120, 160, place, time, (), 60)
        image = render_background(scene, np.random.default_rng(1))
        assert image.shape == (160, 120, 3)
        assert np.isfinite(image).all()
        assert image[60:].std() > 3  # ground texture
        means.append(image.mean())
    assert means == sorted(means, reverse=True)


def test_an_unknown_theme_is_refused() -> None:
    with pytest.raises(DataError, match="theme"):
        sample_scene(np.random.default_rng(0), theme="weather")
