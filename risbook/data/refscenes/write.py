"""Drawing a whole world and writing it as the REFER project laid out the real sets.

Three sets mirror the real three: *refscenes* and *refscenes+* share their images, as RefCOCO and
RefCOCO+ do, with splits train, val, testA (people) and testB (everything else); *refscenesg* has
images of its own, with splits train, val and test, as the *umd* partition of G-Ref.

Every scene follows from (seed, family, split, index) alone: worlds of different sizes share the
scenes that both have, and any one scene can be drawn without the others.
"""

import argparse
import json
import math
import os
import pickle
import random
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from risbook.data.refscenes.captions import caption
from risbook.data.refscenes.facts import GROUP_OF, KINDS
from risbook.data.refscenes.grammar import View
from risbook.data.refscenes.paint import Painted, paint_scene
from risbook.data.refscenes.plan import plan_scene
from risbook.data.refscenes.polygons import segmentation
from risbook.data.refscenes.speaking import MANNERS, Teller
from risbook.errors import DataError

#: Changes whenever the same seed would give other scenes or sentences.
WORLD_VERSION = 1
IMAGES = Path("images", "mscoco", "images", "train2014")
_THEMES = ("people", "things", "mixed")
_NOTE = """RefScenes: a drawn world for referring image segmentation.

All pictures were painted and all sentences and captions written by the programs of risbook
(risbook.data.refscenes); they show nobody and nothing real. They may be used under the licence
of risbook, MIT. The layout is that of the REFER datasets; scenes.json of each set tells the facts
behind every picture.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldSize:
    """How many images a world has.

    Args:
        name: part of the folder's name in the cache.
        refscenes: images in train, val, testA and testB of refscenes and refscenes+.
        refscenesg: images in train, val and test of refscenesg.
        quality: JPEG quality.
    """

    name: str
    refscenes: tuple[int, int, int, int]
    refscenesg: tuple[int, int, int]
    quality: int = 95


STANDARD = WorldSize(name="standard", refscenes=(4000, 200, 120, 120), refscenesg=(2000, 120, 200))
TINY = WorldSize(name="tiny", refscenes=(24, 8, 6, 6), refscenesg=(12, 6, 6))
#: What the package carries: coarser JPEG, so that it stays below half a megabyte.
SAMPLE = WorldSize(name="sample", refscenes=(9, 3, 2, 2), refscenesg=(5, 2, 2), quality=80)
SIZES = {size.name: size for size in (STANDARD, TINY, SAMPLE)}


@dataclass(frozen=True, slots=True)
class Family:
    """Sets that share their images.

    Args:
        number: part of the seeds and of the image ids.
        sets: names of the sets.
        partition: name of their partition.
        splits: names of their splits.
    """

    number: int
    sets: tuple[str, ...]
    partition: str
    splits: tuple[str, ...]


FAMILIES = (
    Family(1, ("refscenes", "refscenes+"), "unc", ("train", "val", "testA", "testB")),
    Family(2, ("refscenesg",), "umd", ("train", "val", "test")),
)
#: kind -> category id, in the order of `KINDS`.
CATEGORY_IDS = {kind: i + 1 for i, kind in enumerate(GROUP_OF)}

Spoken = list[tuple[int, list[tuple[str, str]]]]


@dataclass(frozen=True, slots=True)
class Drawn:
    """One scene of a world, painted and spoken of.

    Args:
        image_id: its id in the world.
        split: its split.
        painted: the picture and its facts.
        caption: the scene told in sentences.
        spoken: set -> for each referred thing its index and its (raw, sent) pairs.
    """

    image_id: int
    split: str
    painted: Painted
    caption: str
    spoken: dict[str, Spoken]

    @property
    def file_name(self) -> str:
        """Name of the image file."""
        return f"refscenes_{self.image_id:012d}.jpg"


def draw(family: Family, split: str, index: int, seed: int = 0) -> Drawn:
    """Plan, paint and describe one scene.

    Args:
        family: the sets that the scene belongs to.
        split: one of the family's splits; testA asks for people, testB for all else.
        index: number of the scene within the split, from 0.
        seed: seed of the world.

    Returns:
        The scene; each set of the family refers to at least one of its things.
    """
    place = family.splits.index(split)
    for attempt in range(100):
        source = np.random.SeedSequence((seed, family.number, place, index, attempt))
        rng = np.random.default_rng(source)
        theme = {"testA": "people", "testB": "things"}.get(split, _THEMES[int(3 * rng.random())])
        painted = paint_scene(plan_scene(rng, theme=theme), rng)
        dice = random.Random(int(source.generate_state(1, np.uint64)[0]))
        spoken = _speak(family, split, painted, dice)
        if all(spoken.values()):
            told = caption(painted.scene, painted.seen, dice)
            image_id = family.number * 1_000_000 + place * 100_000 + index + 1
            return Drawn(image_id, split, painted, told, spoken)
    raise DataError(f"{split} scene {index} of seed {seed}: nothing in it could be referred to")


def _speak(family: Family, split: str, painted: Painted, dice: random.Random) -> dict[str, Spoken]:
    """Choose two to four things of a scene and let each set of the family speak of them."""
    view = View(scene=painted.scene, seen=painted.seen)
    targets = [
        i
        for i, thing in enumerate(view.things)
        if view.plain_to_see >> i & 1
        and (split not in ("testA", "testB") or (thing.group == "people") == (split == "testA"))
    ]
    order = [i for _, i in sorted((dice.random(), i) for i in targets)]
    wanted = 2 + (dice.random() < 0.6) + (dice.random() < 0.15)
    spoken: dict[str, Spoken] = {}
    for name in family.sets:
        teller = Teller(view=view, manner=MANNERS[name], rng=dice)
        spoken[name] = []
        for target in order:
            if len(spoken[name]) < wanted and (pairs := teller.sentences(target)):
                spoken[name].append((target, pairs))
    return spoken


class _SetFiles:
    """Collects the records of one set."""

    def __init__(self, name: str, partition: str) -> None:
        self.name = name
        self.partition = partition
        self.images: list[dict[str, Any]] = []
        self.annotations: list[dict[str, Any]] = []
        self.refs: list[dict[str, Any]] = []
        self.scenes: dict[str, dict[str, Any]] = {}
        self._sent_id = 0

    def add(self, drawn: Drawn, shared: dict[str, Any], annotations: list[dict[str, Any]]) -> None:
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
            for group, kinds in KINDS.items()
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


def _annotations(drawn: Drawn) -> list[dict[str, Any]]:
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


def facts_of(drawn: Drawn) -> dict[str, Any]:
    """What scenes.json tells of a scene.

    Args:
        drawn: the scene.

    Returns:
        Builtins only; ``things`` in the order of painting with the fields of `Thing` that are not
        "", boxes as (left, top, right, bottom).
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


def _scenes(size: WorldSize, seed: int) -> Iterator[tuple[Family, Drawn]]:
    for family, counts in zip(FAMILIES, (size.refscenes, size.refscenesg), strict=True):
        for split, count in zip(family.splits, counts, strict=True):
            for index in range(count):
                yield family, draw(family, split, index, seed)


def _write_world(root: Path, size: WorldSize, seed: int, progress: bool) -> None:
    (root / IMAGES).mkdir(parents=True)
    (root / "LICENSE").mkdir()
    (root / "LICENSE" / "README.txt").write_text(_NOTE, encoding="ascii")
    files = {name: _SetFiles(name, one.partition) for one in FAMILIES for name in one.sets}
    total = sum(size.refscenes) + sum(size.refscenesg)
    bar = tqdm(
        _scenes(size, seed), total=total, desc="drawing RefScenes", unit="scene",
        disable=not progress,
    )  # fmt: skip
    for family, drawn in bar:
        picture = Image.fromarray(drawn.painted.image)
        path = root / IMAGES / drawn.file_name
        picture.save(path, "JPEG", quality=size.quality, subsampling=0)
        shared, annotations = facts_of(drawn), _annotations(drawn)
        for name in family.sets:
            files[name].add(drawn, shared, annotations)
    for one in files.values():
        one.write(root)


def _complete(root: Path) -> bool:
    return all((root / name / "scenes.json").is_file() for one in FAMILIES for name in one.sets)


def make_world(root: Path, *, size: WorldSize, seed: int = 0, progress: bool = True) -> Path:
    """Draw a world into a folder, or find that it is there already.

    The world grows in a folder beside `root` and is renamed when it is complete; if another
    process was faster, its world is used.

    Args:
        root: the folder to make; it must not exist, be empty, or hold a complete world.
        size: how many images.
        seed: seed of all scenes.
        progress: show a progress bar.

    Returns:
        `root`.

    Raises:
        DataError: if `root` holds something else.
    """
    root = Path(root)
    if _complete(root):
        return root
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise DataError(f"{root}: is no RefScenes world; remove it or choose another folder")
    root.parent.mkdir(parents=True, exist_ok=True)
    growing = Path(tempfile.mkdtemp(prefix=f".{root.name}-", dir=root.parent))
    try:
        growing.chmod(0o755)
        _write_world(growing, size, seed, progress)
        try:
            growing.rename(root)
        except OSError:
            if not _complete(root):
                raise
    finally:
        shutil.rmtree(growing, ignore_errors=True)
    return root


def cache_folder() -> Path:
    """The folder for what risbook makes once: $RISBOOK_CACHE, or the user's cache folder."""
    if chosen := os.environ.get("RISBOOK_CACHE"):
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "risbook"


def world_folder(size: str = "standard", seed: int = 0) -> Path:
    """Find a drawn world in the cache; it is drawn on first use.

    Args:
        size: name of a preset: standard (a minute or two of drawing), tiny or sample.
        seed: seed of all scenes.

    Returns:
        The folder that holds refscenes, refscenes+, refscenesg and images.

    Raises:
        DataError: if the size is unknown.
    """
    if size not in SIZES:
        raise DataError(f"size: unknown {size!r}, choose one of {', '.join(SIZES)}")
    name = f"refscenes-v{WORLD_VERSION}-{size}-seed{seed}"
    return make_world(cache_folder() / name, size=SIZES[size], seed=seed)


def sample_folder() -> Path:
    """The small world that comes with the package.

    Raises:
        DataError: if the package was installed without it.
    """
    folder = Path(__file__).resolve().parent / "sample"
    if not _complete(folder):
        raise DataError(f"{folder}: missing; run python -m risbook.data.refscenes.write --sample")
    return folder


def main() -> None:
    """Command line: draw the sample that the package carries, or a world in the cache."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--sample", action="store_true", help="draw the package's sample anew")
    parser.add_argument("--size", choices=sorted(SIZES), default="standard")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.sample:
        folder = Path(__file__).resolve().parent / "sample"
        shutil.rmtree(folder, ignore_errors=True)
        print(make_world(folder, size=SAMPLE))
    else:
        print(world_folder(options.size, options.seed))


if __name__ == "__main__":
    main()
