"""A drawn dataset with images and masks at several times their size, for figures."""

from dataclasses import replace

from risbook.data.dataset import ReferData
from risbook.data.expressions import ExpressionTable
from risbook.data.instances import Annotation
from risbook.refscenes.scaled_scenes import RenderedMask, ScaledScenes


def scale_dataset(data: ReferData, scale: int) -> ReferData:
    """Render a drawn dataset at `scale` times its size; ids, splits and text stay the same.

    Images and masks are rendered when they are asked for, about a tenth of a second each, and are
    no enlarged pixels: a drawn object gains detail. Sides and boxes of all records are multiplied.

    Args:
        data: a drawn dataset.
        scale: 2, 3 or 4.

    Raises:
        ArgumentError: the dataset is not drawn, or there is no such scale.
        DataError: the world was drawn by another edition of risbook.
    """
    images = {
        image_id: replace(image, height=scale * image.height, width=scale * image.width)
        for image_id, image in data.instances.images.items()
    }
    scenes = ScaledScenes(data.folder.parent, tuple(images), scale)
    masks: dict[int, RenderedMask] = {}
    annotations: dict[int, Annotation] = {}
    for image_id in images:
        for index, annotation in enumerate(data.instances.annotations_of(image_id)):
            masks[annotation.ann_id] = RenderedMask(scenes, image_id, index)
            annotations[annotation.ann_id] = replace(
                annotation,
                bbox=_scale_box(annotation.bbox, scale),
                segmentation=masks[annotation.ann_id],
            )
    # As in the files: annotations of one image may stand apart.
    instances = replace(
        data.instances,
        images=images,
        annotations={ann_id: annotations[ann_id] for ann_id in data.instances.annotations},
    )
    rows = [
        replace(
            expression,
            bbox=_scale_box(expression.bbox, scale),
            height=scale * expression.height,
            width=scale * expression.width,
            segmentation=masks[expression.ann_id],
        )
        for expression in data.expressions
    ]
    return replace(
        data,
        expressions=ExpressionTable(rows, source=data.expressions.source),
        instances=instances,
        image_folders=(),
        row_images=scenes,
    )


def _scale_box(
    box: tuple[float, float, float, float], scale: int
) -> tuple[float, float, float, float]:
    x, y, width, height = box
    return scale * x, scale * y, scale * width, scale * height
