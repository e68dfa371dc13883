"""The files of a dataset: scenes become the records of the REFER layout.

``instances.json`` and ``refs(<partition>).p`` have exactly the keys of the real files.
``scenes.json`` is an addition: the facts of every image.
"""

import json
import math
import pickle
from itertools import count
from pathlib import Path
from typing import Any

from risbook.refscenes.polygons import segmentation
from risbook.refscenes.scene_types import SUPERCATEGORY_OF
from risbook.refscenes.sets import AnnotatedScene

#: Changes whenever the same seed would give other scenes or sentences.
WORLD_VERSION = 1
#: category -> its id, in the order of `scene_types.CATEGORIES`
CATEGORY_IDS = {category: i + 1 for i, category in enumerate(SUPERCATEGORY_OF)}


class DatasetFiles:
    """The records of one dataset."""

    def __init__(self, name: str, partition: str) -> None:
        self.name = name
        self.partition = partition
        self.images: list[dict[str, Any]] = []
        self.annotations: list[dict[str, Any]] = []
        self.refs: list[dict[str, Any]] = []
        self.scenes: dict[str, dict[str, Any]] = {}
        self._sent_ids = count()

    def add(
        self, annotated: AnnotatedScene, record: dict[str, Any], annotations: list[dict[str, Any]]
    ) -> None:
        """Add a scene with its `scene_record` and its `coco_annotations`."""
        scene = annotated.rendered.scene
        self.images.append(
            {
                "id": annotated.image_id,
                "file_name": annotated.file_name,
                "width": scene.width,
                "height": scene.height,
            }
        )
        self.annotations += annotations
        self.scenes[str(annotated.image_id)] = record
        for target, pairs in annotated.expressions[self.name]:
            ann_id = annotations[target]["id"]
            sentences = [
                {"sent_id": next(self._sent_ids), "raw": raw, "sent": sent, "tokens": sent.split()}
                for raw, sent in pairs
            ]
            self.refs.append(
                {
                    "ref_id": len(self.refs),
                    "ann_id": ann_id,
                    "image_id": annotated.image_id,
                    "category_id": annotations[target]["category_id"],
                    # As in the real datasets this is no file: the name lies in instances.json.
                    "file_name": annotated.file_name.replace(".jpg", f"_{ann_id}.jpg"),
                    "split": annotated.split,
                    "sent_ids": [sentence["sent_id"] for sentence in sentences],
                    "sentences": sentences,
                }
            )

    def write(self, root: Path) -> None:
        """Write instances.json, the pickle and scenes.json below root."""
        folder = root / self.name
        folder.mkdir(parents=True)
        categories = [
            {"id": CATEGORY_IDS[category], "name": category, "supercategory": supercategory}
            for category, supercategory in SUPERCATEGORY_OF.items()
        ]
        instances = {
            "info": {"description": f"{self.name}, a drawn world", "version": WORLD_VERSION},
            "images": self.images,
            "annotations": self.annotations,
            "categories": categories,
        }
        for name, content in (("instances.json", instances), ("scenes.json", self.scenes)):
            text = json.dumps(content, sort_keys=True, separators=(",", ":"))
            (folder / name).write_text(text, encoding="ascii")
        # Through JSON and back: a pickle's bytes depend on which strings are the same object.
        refs = json.loads(json.dumps(self.refs))
        (folder / f"refs({self.partition}).p").write_bytes(pickle.dumps(refs, protocol=2))


def _ann_id(annotated: AnnotatedScene, index: int) -> int:
    return annotated.image_id * 100 + index + 1


def coco_annotations(annotated: AnnotatedScene) -> list[dict[str, Any]]:
    """COCO annotations of every visible object."""
    annotations = []
    for index, visible in enumerate(annotated.rendered.visible_objects):
        left, top, right, bottom = visible.box
        mask = annotated.rendered.instance_ids == index + 1
        annotation = {
            "id": _ann_id(annotated, index),
            "image_id": annotated.image_id,
            "category_id": CATEGORY_IDS[visible.obj.category],
            "bbox": [left, top, right - left, bottom - top],
            "area": visible.area,
            "iscrowd": 0,
            "segmentation": segmentation(mask, box=visible.box),
        }
        annotations.append(annotation)
    return annotations


def scene_record(annotated: AnnotatedScene) -> dict[str, Any]:
    """The record of a scene in ``scenes.json``.

    Returns:
        Builtins only. ``things`` holds the objects from far to near, with boxes (left, top, right,
        bottom). Some keys are older than the names in the code: users keep their worlds.
    """
    scene = annotated.rendered.scene
    objects = [
        {
            **visible.obj.to_record(),
            "ann_id": _ann_id(annotated, index),
            "box": list(visible.box),
            "area": visible.area,
            # Rounded down, so that "at least three quarters" stays true.
            "visible": math.floor(visible.visible_fraction * 10_000) / 10_000,
        }
        for index, visible in enumerate(annotated.rendered.visible_objects)
    ]
    return {
        "caption": annotated.caption,
        "height": scene.height,
        "place": scene.background,
        "split": annotated.split,
        "things": objects,
        "time": scene.time,
        "width": scene.width,
    }
