"""When two sets share an image.

The three real sets take their photographs from COCO's train2014, so that a training image of one
is a test image of another. A photograph of COCO is known by the id in its file name, in whatever
folder it lies, and under the names of train2014 and of train2017. Other images are the same where
folder and file name are.
"""

import re
from pathlib import Path

from risbook.data.dataset import COCO_FILE_NAMES, ReferData
from risbook.data.expressions import Expression
from risbook.data.image_subset import ImageKey

_COCO_NAME = re.compile(r"(?:COCO_train2014_)?(\d{12})\.jpg")


def image_key(source: ReferData, expression: Expression) -> ImageKey:
    """A name that is equal where two sets share an image."""
    if match := _COCO_NAME.fullmatch(Path(expression.file_name).name):
        return Path("train2014"), COCO_FILE_NAMES[0].format(int(match[1]))
    return source.image_folders[0].resolve(), expression.file_name
