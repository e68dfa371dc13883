"""The renderer is deterministic, exact about visibility, and complete."""

from dataclasses import replace

import numpy as np
import pytest

from risbook.errors import DataError
from risbook.refscenes import scene_types
from risbook.refscenes.background_types import BACKGROUNDS, TIMES
from risbook.refscenes.backgrounds import render_background
from risbook.refscenes.colours import RGB_OF
from risbook.refscenes.occlusion import MIN_AREA, MIN_VISIBLE
from risbook.refscenes.scene_renderer import RenderedScene, render_scene, render_sprite
from risbook.refscenes.scene_sampler import CATEGORIES_IN, THEMES, sample_scene
from risbook.refscenes.scene_types import Scene, SceneObject

ALL_CATEGORIES = [
    category for categories in scene_types.CATEGORIES.values() for category in categories
]


def rendered_scene(seed: int, theme: str) -> RenderedScene:
    rng = np.random.default_rng(seed)
    return render_scene(sample_scene(rng, theme=theme), rng)


@pytest.fixture(scope="module")
def scenes() -> list[tuple[str, RenderedScene]]:
    return [(THEMES[seed % 3], rendered_scene(seed, THEMES[seed % 3])) for seed in range(240)]


def make_object(category: str, colour: str, **more: object) -> SceneObject:
    obj = SceneObject(category, colour, "plain", 40.0, 60, 90)
    if obj.supercategory == "people":
        obj = replace(obj, lower_colour="gray")
    return replace(obj, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("theme", THEMES)
def test_the_same_seed_gives_the_same_bytes(theme: str) -> None:
    first, other = rendered_scene(5, theme), rendered_scene(5, theme)
    assert first.image.tobytes() == other.image.tobytes()
    assert first.instance_ids.tobytes() == other.instance_ids.tobytes()
    assert first.scene == other.scene
    assert first.visible_objects == other.visible_objects


def test_no_two_seeds_give_the_same_image(scenes: list[tuple[str, RenderedScene]]) -> None:
    assert len({rendered.image.tobytes() for _, rendered in scenes}) == len(scenes)


def test_instance_ids_agree_with_visible_objects(scenes: list[tuple[str, RenderedScene]]) -> None:
    for _, rendered in scenes:
        assert rendered.image.shape == (rendered.scene.height, rendered.scene.width, 3)
        assert rendered.image.dtype == np.uint8
        assert rendered.instance_ids.dtype == np.uint8
        assert rendered.instance_ids.shape == rendered.image.shape[:2]
        assert [visible.obj for visible in rendered.visible_objects] == list(rendered.scene.objects)
        assert set(np.unique(rendered.instance_ids)) <= set(
            range(len(rendered.visible_objects) + 1)
        )
        for index, visible in enumerate(rendered.visible_objects):
            rows, columns = np.nonzero(rendered.instance_ids == index + 1)
            box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
            assert visible.box == box
            assert visible.area == len(rows)


def test_every_object_is_visible(scenes: list[tuple[str, RenderedScene]]) -> None:
    shares = [
        visible.visible_fraction for _, rendered in scenes for visible in rendered.visible_objects
    ]
    areas = [visible.area for _, rendered in scenes for visible in rendered.visible_objects]
    assert min(shares) >= MIN_VISIBLE
    assert max(shares) <= 1
    assert min(areas) >= MIN_AREA
    assert 0.15 < np.mean(np.array(shares) < 0.95) < 0.7  # some objects do hide others


def test_themes_and_counts(scenes: list[tuple[str, RenderedScene]]) -> None:
    several = 0
    for theme, rendered in scenes:
        categories = [obj.category for obj in rendered.scene.objects]
        people = sum(obj.supercategory == "people" for obj in rendered.scene.objects)
        most = max(categories.count(category) for category in categories)
        assert 3 <= len(categories) <= 9
        if theme == "people":
            assert people >= 2
            assert people < len(categories)
        if theme == "things":
            assert people <= 1
            others = [name for name in categories if scene_types.SUPERCATEGORY_OF[name] != "people"]
            assert max(others.count(name) for name in others) >= 2
        several += most >= 2
    assert several > 0.8 * len(scenes)


def test_the_world_is_varied(scenes: list[tuple[str, RenderedScene]]) -> None:
    assert any(rendered.scene.width > rendered.scene.height for _, rendered in scenes)
    assert any(rendered.scene.width < rendered.scene.height for _, rendered in scenes)
    assert {rendered.scene.background for _, rendered in scenes} == set(BACKGROUNDS)
    assert {rendered.scene.time for _, rendered in scenes} == {"", *TIMES}
    assert {obj.category for _, rendered in scenes for obj in rendered.scene.objects} == set(
        ALL_CATEGORIES
    )
    for _, rendered in scenes:
        grounds = [obj.ground for obj in rendered.scene.objects]
        assert grounds == sorted(grounds)


def test_scenes_use_only_allowed_words(scenes: list[tuple[str, RenderedScene]]) -> None:
    for _, rendered in scenes:
        for obj in rendered.scene.objects:
            assert (
                obj.category in CATEGORIES_IN[rendered.scene.background] or obj.category == "boat"
            )
            assert obj.colour in scene_types.COLOURS_OF[obj.category]
            assert obj.pattern in scene_types.PATTERNS_OF[obj.category]
            assert obj.hat in scene_types.HATS
            assert obj.holding in scene_types.HELD_OBJECTS
            assert bool(obj.hat) == bool(obj.hat_colour)
            assert bool(obj.holding) == bool(obj.holding_colour)
            assert bool(obj.lower_colour) == (obj.supercategory == "people")


@pytest.mark.parametrize("category", ALL_CATEGORIES)
def test_every_category_renders_in_every_allowed_colour(category: str) -> None:
    sprites = set()
    for colour in scene_types.COLOURS_OF[category]:
        for pattern in scene_types.PATTERNS_OF[category]:
            sprite = render_sprite(make_object(category, colour, pattern=pattern), light=-1, seed=0)
            rows = np.flatnonzero(sprite.mask.any(1))
            assert sprite.mask.sum() > 100
            assert abs(sprite.foot[1] - rows[0] - 40) <= 4  # as high as the facts say
            assert abs(rows[-1] + 1 - sprite.foot[1]) <= 3  # and standing on its foot point
            sprites.add(sprite.rgb.tobytes())
    assert len(sprites) == len(scene_types.COLOURS_OF[category]) * len(
        scene_types.PATTERNS_OF[category]
    )


@pytest.mark.parametrize(
    ("category", "colour"),
    [
        (category, colour)
        for category in ALL_CATEGORIES
        for colour in scene_types.COLOURS_OF[category]
    ],
)
def test_the_colour_word_rules_the_surface(category: str, colour: str) -> None:
    names = [name for name in scene_types.COLOURS if name in scene_types.COLOURS_OF[category]]
    other = next(name for name in names if name != colour)
    sprite, twin = (
        render_sprite(make_object(category, c), light=-1, seed=0) for c in (colour, other)
    )
    # What changes with the colour word is the coloured surface: a good share of the object.
    surface = sprite.mask & (np.abs(sprite.rgb - twin.rgb).sum(2) > 30)
    assert surface.sum() > 0.18 * sprite.mask.sum()
    # Its inside: at the rim the colour is mixed with outlines.
    inside = surface.copy()
    for axis, step in ((0, 1), (0, -1), (1, 1), (1, -1)):
        inside &= np.roll(surface, step, axis)
    median = np.median(sprite.rgb[inside if inside.sum() > 40 else surface], axis=0)
    distances = {name: np.abs(median - np.array(RGB_OF[name])).sum() for name in names}
    assert min(distances, key=lambda name: distances[name]) == colour


def test_facing_mirrors_the_shape() -> None:
    right = render_sprite(make_object("dog", "brown"), light=-1, seed=0)
    left = render_sprite(make_object("dog", "brown", facing="left"), light=-1, seed=0)
    assert np.array_equal(right.mask, left.mask[:, ::-1])
    assert left.foot[0] == left.mask.shape[1] - right.foot[0]


def test_hat_and_held_object_belong_to_the_person() -> None:
    bare = render_sprite(make_object("woman", "red"), light=-1, seed=0).mask.sum()
    for hat in scene_types.HATS[1:]:
        obj = make_object("woman", "red", hat=hat, hat_colour="blue")
        assert render_sprite(obj, light=-1, seed=0).mask.sum() > bare
    for item in scene_types.HELD_OBJECTS[1:]:
        obj = make_object("woman", "red", holding=item, holding_colour="blue")
        assert render_sprite(obj, light=-1, seed=0).mask.sum() > bare + 20


def test_a_hidden_object_is_moved_or_left_out() -> None:
    small = SceneObject("mug", "red", "plain", 16, 80, 100)
    large = SceneObject("bus", "blue", "plain", 50, 80, 104, variant=2)
    rendered = render_scene(
        Scene(160, 120, "street", "day", (small, large)), np.random.default_rng(0)
    )
    categories = [obj.category for obj in rendered.scene.objects]
    assert "bus" in categories
    assert all(
        visible.visible_fraction >= MIN_VISIBLE and visible.area >= MIN_AREA
        for visible in rendered.visible_objects
    )
    if "mug" in categories:
        assert rendered.scene.objects[categories.index("mug")].x != small.x


@pytest.mark.parametrize("background", BACKGROUNDS)
def test_every_background_has_its_own_light(background: str) -> None:
    times = ("",) if BACKGROUNDS[background].indoors else TIMES
    means = []
    for time in times:
        scene = Scene(120, 160, background, time, (), 60)
        image = render_background(scene, np.random.default_rng(1))
        assert image.shape == (160, 120, 3)
        assert np.isfinite(image).all()
        assert image[60:].std() > 3  # ground texture
        means.append(image.mean())
    assert means == sorted(means, reverse=True)


def test_an_unknown_theme_is_refused() -> None:
    with pytest.raises(DataError, match="theme"):
        sample_scene(np.random.default_rng(0), theme="weather")
