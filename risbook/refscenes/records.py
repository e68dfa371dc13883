"""The files of a set: scenes become the records of the REFER layout.

``instances.json`` and ``refs(<partition>).p`` have exactly the keys of the real files;
``scenes.json`` is ours, and tells the facts behind every picture.
"""

import json
import math
import pickle
from dataclasses import asdict
from pathlib import Path
from typing import Any

from risbook.refscenes.polygons import segmentation
from risbook.refscenes.scene_types import CATEGORIES, SUPERCATEGORY_OF
from risbook.refscenes.sets import AnnotatedScene

#: Changes whenever the same seed would give other scenes or sentences.
WORLD_VERSION = 1
#: kind -> category id, in the order of `CATEGORIES`.
CATEGORY_IDS = {kind: i + 1 for i, kind in enumerate(SUPERCATEGORY_OF)}


class DatasetFiles:
    """Collects the records of one set."""

    def __init__(self, name: str, partition: str) -> None:
        self.name = name
        self.partition = partition
        self.images: list[dict[str, Any]] = []
        self.annotations: list[dict[str, Any]] = []
        self.refs: list[dict[str, Any]] = []
        self.scenes: dict[str, dict[str, Any]] = {}
        self._sent_id = 0

    def add(
        self, drawn: AnnotatedScene, shared: dict[str, Any], annotations: list[dict[str, Any]]
    ) -> None:
        """Take in a scene with its facts and its annotations."""
        scene = drawn.painted.scene
        self.images.append(
            {
                "id": drawn.image_id,
                "file_name": drawn.file_name,
                "width": scene.width,
                "height": scene.height,
            }
        )
        self.annotations += annotations
        self.scenes[str(drawn.image_id)] = shared
        for target, pairs in drawn.spoken[self.name]:
            ann_id = annotations[target]["id"]
            sentences = []
            for raw, sent in pairs:
                sentences.append(
                    {"sent_id": self._sent_id, "raw": raw, "sent": sent, "tokens": sent.split()}
                )
                self._sent_id += 1
            self.refs.append(
                {
                    "ref_id": len(self.refs),
                    "ann_id": ann_id,
                    "image_id": drawn.image_id,
                    "category_id": annotations[target]["category_id"],
                    # As in the real sets this is no file: the name lies in instances.json.
                    "file_name": drawn.file_name.replace(".jpg", f"_{ann_id}.jpg"),
                    "split": drawn.split,
                    "sent_ids": [sentence["sent_id"] for sentence in sentences],
                    "sentences": sentences,
                }
            )

    def write(self, root: Path) -> None:
        """Write instances.json, the pickle and scenes.json below root."""
        folder = root / self.name
        folder.mkdir(parents=True)
        categories = [
            {"id": CATEGORY_IDS[kind], "name": kind, "supercategory": group}
            for group, kinds in CATEGORIES.items()
            for kind in kinds
        ]
        _write_json(
            folder / "instances.json",
            {
                "info": {"description": f"{self.name}, a drawn world", "version": WORLD_VERSION},
                "images": self.images,
                "annotations": self.annotations,
                "categories": categories,
            },
        )
        _write_json(folder / "scenes.json", self.scenes)
        # Through JSON and back: a pickle's bytes depend on which strings are one object.
        refs = json.loads(json.dumps(self.refs))
        (folder / f"refs({self.partition}).p").write_bytes(pickle.dumps(refs, protocol=2))


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, sort_keys=True, separators=(",", ":")), encoding="ascii")


def coco_annotations(drawn: AnnotatedScene) -> list[dict[str, Any]]:
    """COCO records of every visible thing."""
    found = []
    for number, one in enumerate(drawn.painted.seen):
        left, top, right, bottom = one.box
        found.append(
            {
                "id": drawn.image_id * 100 + number + 1,
                "image_id": drawn.image_id,
                "category_id": CATEGORY_IDS[one.thing.kind],
                "bbox": [left, top, right - left, bottom - top],
                "area": one.area,
                "iscrowd": 0,
                "segmentation": segmentation(drawn.painted.ids == number + 1, box=one.box),
            }
        )
    return found


def scene_record(drawn: AnnotatedScene) -> dict[str, Any]:
    """What scenes.json tells of a scene.

    Args:
        drawn: the scene.

    Returns:
        Builtins only; ``things`` in the order of painting with the fields of `SceneObject` that are
        not "", boxes as (left, top, right, bottom).
    """
    scene = drawn.painted.scene
    things = [
        {
            **{name: value for name, value in asdict(one.thing).items() if value != ""},
            "ann_id": drawn.image_id * 100 + number + 1,
            "box": list(one.box),
            "area": one.area,
            # rounded down, so that "at least three quarters" stays what it was
            "visible": math.floor(one.visible * 10_000) / 10_000,
        }
        for number, one in enumerate(drawn.painted.seen)
    ]
    return {
        "caption": drawn.caption,
        "height": scene.height,
        "place": scene.place,
        "split": drawn.split,
        "things": things,
        "time": scene.time,
        "width": scene.width,
    }
