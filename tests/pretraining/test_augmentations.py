"""Views show their boxes, and colours change within their bounds."""

import torch

from risbook.pretraining.augmentations import (
    boxes_around,
    crop,
    flip,
    jitter_brightness,
    jitter_colours,
    random_boxes,
)
from risbook.pretraining.image_corpus import ImageCorpus


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_a_crop_of_the_whole_canvas_is_the_canvas() -> None:
    canvas = torch.randint(0, 256, (2, 3, 8, 8), dtype=torch.uint8)
    boxes = torch.tensor([[0.0, 0.0, 8.0, 8.0]]).expand(2, -1)
    assert torch.allclose(crop(canvas, boxes, 8) * 255, canvas.float(), atol=1e-3)


def test_a_crop_shows_its_box() -> None:
    canvas = torch.zeros(1, 3, 16, 16, dtype=torch.uint8)
    canvas[:, :, 4:8, 8:12] = 255
    assert crop(canvas, torch.tensor([[8.0, 4.0, 4.0, 4.0]]), 4).min() == 1
    assert crop(canvas, torch.tensor([[0.0, 8.0, 4.0, 4.0]]), 4).max() == 0


def test_random_boxes_stay_inside_and_have_the_area() -> None:
    frames = torch.tensor([[20.0, 0.0, 120.0, 160.0]]).expand(500, -1)
    x, y, width, height = random_boxes(frames, (0.3, 0.6), generator()).unbind(1)
    assert (x >= 20).all() and (x + width <= 140.001).all()
    assert (y >= 0).all() and (y + height <= 160.001).all()
    share = width * height / (120 * 160)
    assert share.min() > 0.299 and share.max() < 0.601


def test_boxes_around_an_object_hold_it() -> None:
    boxes = torch.tensor([[50.0, 60.0, 20.0, 30.0]]).expand(500, -1)
    x, y, width, height = boxes_around(boxes, (1.0, 3.0), generator()).unbind(1)
    assert (x <= 50.001).all() and (x + width >= 69.999).all()
    assert (y <= 60.001).all() and (y + height >= 89.999).all()
    assert torch.equal(width, height)
    assert width.min() >= 29.99 and width.max() <= 90.01


def test_brightness_keeps_gray_gray_and_colours_can_vanish(corpus: ImageCorpus) -> None:
    gray = torch.full((64, 3, 4, 4), 0.5)
    for changed in (jitter_brightness(gray, generator()), jitter_colours(gray, generator())):
        assert torch.allclose(changed[:, 0], changed[:, 2], atol=1e-5)
        assert changed.std() > 0
    views = corpus.canvas[:2].float().repeat(100, 1, 1, 1)[:200, :, ::4, ::4] / 255
    changed = jitter_colours(views, generator())
    colourless = (changed.amax(1) - changed.amin(1)).flatten(1).amax(1) < 1e-4
    assert 0.1 < colourless.float().mean() < 0.3
    assert changed.min() >= 0 and changed.max() <= 1


def test_flip_mirrors_some() -> None:
    views = torch.arange(4.0).expand(100, 3, 2, 4)
    flipped = flip(views, generator())
    mirrored = flipped[:, 0, 0, 0] == 3
    assert 20 < mirrored.sum() < 80
    assert torch.equal(flipped[~mirrored], views[~mirrored])
