"""Augmentations of a whole batch at once: random crops, flips, and changes of colour.

A view is a box on an image's canvas, resized to a square by bilinear sampling.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from risbook.data.letterbox import CLIP_MEAN, CLIP_STD


def crop(canvas: Tensor, boxes: Tensor, size: int) -> Tensor:
    """Cut one box out of each canvas and resize it to a square.

    Args:
        canvas: uint8 (B, 3, S, S).
        boxes: (B, 4): x, y, width and height, pixels; outside of the canvas its edge is repeated.
        size: side of the views, pixels.

    Returns:
        float32 (B, 3, size, size) in [0, 1].
    """
    side = canvas.shape[-1]
    x, y, width, height = (boxes.T / side).unbind()
    zero = torch.zeros_like(x)
    # affine_grid's units: -1 is the canvas' left or upper edge, 1 its right or lower one
    across = torch.stack([width, zero, 2 * x + width - 1], dim=1)
    down = torch.stack([zero, height, 2 * y + height - 1], dim=1)
    grid = F.affine_grid(
        torch.stack([across, down], dim=1), [len(boxes), 3, size, size], align_corners=False
    )
    views = F.grid_sample(canvas.float(), grid, padding_mode="border", align_corners=False)
    return views / 255


def normalise_views(views: Tensor) -> Tensor:
    """Views in [0, 1] minus CLIP's mean, over its standard deviation."""
    mean = views.new_tensor(CLIP_MEAN)[:, None, None]
    return (views - mean) / views.new_tensor(CLIP_STD)[:, None, None]


def uniform(count: int, low: float, high: float, generator: torch.Generator) -> Tensor:
    """`count` random numbers between `low` and `high`."""
    return torch.rand(count, generator=generator) * (high - low) + low


def random_boxes(frames: Tensor, area: tuple[float, float], generator: torch.Generator) -> Tensor:
    """Sample a box inside of each frame, as random-resized crops do.

    Args:
        frames: (B, 4): x, y, width and height of the images on their canvases.
        area: smallest and largest share of the frame's area.
        generator: of the random numbers.

    Returns:
        (B, 4); sides between 3:4 and 4:3 of each other where the frame leaves room.
    """
    count = len(frames)
    x, y, width, height = frames.unbind(1)
    share = uniform(count, *area, generator) * width * height
    ratio = torch.exp(uniform(count, -0.2877, 0.2877, generator))
    box_width = torch.minimum((share * ratio).sqrt(), width)
    box_height = torch.minimum(share / box_width, height)
    left = x + torch.rand(count, generator=generator) * (width - box_width)
    top = y + torch.rand(count, generator=generator) * (height - box_height)
    return torch.stack([left, top, box_width, box_height], dim=1)


def boxes_around(boxes: Tensor, zoom: tuple[float, float], generator: torch.Generator) -> Tensor:
    """Sample a square around each object, the object near its middle.

    Args:
        boxes: (B, 4): x, y, width and height of the objects.
        zoom: smallest and largest side of the square in units of the object's longer side.
        generator: of the random numbers.
    """
    count = len(boxes)
    x, y, width, height = boxes.unbind(1)
    low, high = torch.tensor(zoom).log().tolist()
    side = torch.maximum(width, height) * uniform(count, low, high, generator).exp()
    left = x + (width - side) * uniform(count, 0.3, 0.7, generator)
    top = y + (height - side) * uniform(count, 0.3, 0.7, generator)
    return torch.stack([left, top, side, side], dim=1)


# red, green and blue to brightness and two colour differences (YIQ, as NTSC has them)
_YIQ = torch.tensor([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])


def jitter_brightness(views: Tensor, generator: torch.Generator, strength: float = 0.2) -> Tensor:
    """Change brightness and contrast a little, so that a red object stays red."""
    count = len(views)
    gain = uniform(count, 1 - strength, 1 + strength, generator)[:, None, None, None]
    offset = uniform(count, -strength / 2, strength / 2, generator)[:, None, None, None]
    return (views * gain + offset).clamp(0, 1)


def jitter_colours(views: Tensor, generator: torch.Generator) -> Tensor:
    """Change brightness, contrast, saturation and hue a lot, as self-distillation needs it.

    One view in five becomes grey. A network that can match views by colour alone learns little
    else. Views are (B, 3, S, S) in [0, 1].
    """
    count = len(views)
    hue = uniform(count, -1.0, 1.0, generator)  # rotation of the colour circle, radians
    saturation = uniform(count, 0.6, 1.4, generator)
    saturation[torch.rand(count, generator=generator) < 0.2] = 0.0
    rotation = torch.zeros(count, 3, 3)
    rotation[:, 0, 0] = 1
    rotation[:, 1, 1] = rotation[:, 2, 2] = hue.cos() * saturation
    rotation[:, 1, 2] = -hue.sin() * saturation
    rotation[:, 2, 1] = hue.sin() * saturation
    matrix = torch.linalg.inv(_YIQ) @ rotation @ _YIQ
    views = torch.einsum("b i c, b c h w -> b i h w", matrix, views)
    return jitter_brightness(views, generator, strength=0.35)


def flip(views: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror every second view, left to right."""
    mirrored = torch.rand(len(views), generator=generator) < 0.5
    return torch.where(mirrored[:, None, None, None], views.flip(-1), views)
