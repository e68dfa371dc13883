"""Writes a whole world into a folder, once, and finds it again."""

import argparse
import json
import shutil
from contextlib import suppress
from pathlib import Path

from PIL import Image

from risbook.errors import DataError, RisbookError
from risbook.files import cache_folder, read_json, write_error
from risbook.progress_bar import progress_bar
from risbook.refscenes import manifest
from risbook.refscenes.partial_folder import partial_folder
from risbook.refscenes.records import WORLD_VERSION, DatasetFiles, coco_annotations, scene_record
from risbook.refscenes.sets import SIZES, WorldSize, generate_world

#: Where the real sets have their images, below the folder that holds the sets.
IMAGES = Path("images", "mscoco", "images", "train2014")
#: the worlds that come with the package, each in a folder of its name
SAMPLES = ("sample", "unseen-sample")
_NOTE = """RefScenes: a drawn world for referring image segmentation.

All pictures were painted and all sentences and captions written by the programs of risbook
(risbook.refscenes); they show nobody and nothing real. They may be used under the licence
of risbook, MIT. The layout is that of the REFER datasets; scenes.json of each set tells the facts
behind every picture.
"""


def _write_world(root: Path, size: WorldSize, seed: int, progress: bool) -> None:
    (root / IMAGES).mkdir(parents=True)
    (root / "LICENSE").mkdir()
    (root / "LICENSE" / "README.txt").write_text(_NOTE, encoding="ascii")
    files = {name: DatasetFiles(name, partition) for name, partition in size.partitions.items()}
    scenes, total = generate_world(size, seed), size.total
    label = "drawing RefScenes"
    for annotated in progress_bar(scenes, show=progress, total=total, desc=label, unit="scene"):
        image = Image.fromarray(annotated.rendered.image)
        path = root / IMAGES / annotated.file_name
        image.save(path, "JPEG", quality=size.quality, subsampling=0)
        record, annotations = scene_record(annotated), coco_annotations(annotated)
        for name in annotated.expressions:
            files[name].add(annotated, record, annotations)
    for dataset_files in files.values():
        dataset_files.write(root)
    (root / manifest.STAMP).write_text(_stamp(size, seed), encoding="ascii")
    manifest.write_manifest(root)


def _stamp(size: WorldSize, seed: int) -> str:
    """What a world was made from, as JSON."""
    made_from = {"version": WORLD_VERSION, "seed": seed, "size": size.to_record()}
    return json.dumps(made_from, sort_keys=True) + "\n"


def _check_world(root: Path, size: WorldSize, seed: int) -> None:
    """Check that a complete folder holds this world, undamaged as far as sizes of files tell."""
    if (root / manifest.STAMP).is_file():
        try:
            stamp = read_json(root / manifest.STAMP)
        except DataError as error:
            raise manifest.damage(root, manifest.STAMP, "is damaged") from error
        if stamp != json.loads(_stamp(size, seed)):
            raise DataError(
                f"{root}: holds a world of another size or seed (see {manifest.STAMP}); "
                "choose another folder"
            )
    if (root / manifest.MANIFEST).is_file():
        manifest.check_sizes(root)
        return
    # Worlds of earlier editions have no list of files: one is made when all images are there.
    count = len(list((root / IMAGES).glob("*.jpg")))
    if count != size.total:
        raise manifest.damage(root, str(IMAGES), f"holds {count} images of {size.total}")
    with suppress(RisbookError):  # the folder may be read-only
        manifest.write_manifest(root)


def _complete(root: Path, size: WorldSize) -> bool:
    return all((root / name / "scenes.json").is_file() for name in size.partitions)


def make_world(root: Path, *, size: WorldSize, seed: int = 0, progress: bool = True) -> Path:
    """Draw a world into a folder, or find that it is there already.

    The world grows in a folder beside `root` and is renamed when it is complete; if another
    process was faster, its world is used.

    Args:
        root: the folder to make; it must not exist, be empty, or hold a complete world.
        size: which sets, and how many images.
        seed: seed of all scenes.
        progress: show a progress bar.

    Returns:
        `root`.

    Raises:
        DataError: `root` holds something else, a damaged world, or one of another size or seed.
        RisbookError: `root` cannot be written.
    """
    root = Path(root)
    if _complete(root, size):
        _check_world(root, size, seed)
        return root
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        sets = ", ".join(size.partitions)
        raise DataError(
            f"{root}: is no RefScenes world with {sets}; remove it or choose another folder"
        )
    try:
        with partial_folder(root) as folder:
            _write_world(folder, size, seed, progress)
            try:
                folder.rename(root)
            except OSError:
                if not _complete(root, size):
                    raise
    except OSError as error:
        raise write_error(root, error) from error
    return root


def world_folder(size: str = "standard", seed: int = 0) -> Path:
    """Find a drawn world in the cache; it is drawn on first use.

    Args:
        size: name of a preset: standard, tiny or sample for refscenes, refscenes+ and refscenesg;
            unseen, unseen-tiny or unseen-sample for refscenes-unseen. Standard and unseen take a
            minute or two of drawing.
        seed: seed of all scenes.

    Returns:
        The folder that holds the sets and their images.

    Raises:
        DataError: the size is unknown, files are missing or altered, or there is no home folder.
    """
    if size not in SIZES:
        raise DataError(f"size: unknown {size!r}, choose one of {', '.join(SIZES)}")
    name = f"refscenes-v{WORLD_VERSION}-{size}-seed{seed}"
    return make_world(cache_folder() / name, size=SIZES[size], seed=seed)


def sample_folder(size: str = "sample") -> Path:
    """A small world that comes with the package.

    Args:
        size: "sample" for refscenes, refscenes+ and refscenesg; "unseen-sample" for
            refscenes-unseen.

    Raises:
        DataError: the package was installed without it, or it is damaged.
    """
    folder = _sample_path(size)
    if not _complete(folder, SIZES[size]):
        raise DataError(f"{folder}: missing; run python -m risbook.refscenes.write --sample {size}")
    manifest.check_sizes(folder)
    return folder


def _sample_path(size: str) -> Path:
    return Path(__file__).resolve().parent / size


def main() -> None:
    """Command line: draw a sample that the package carries, or a world in the cache."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--sample", choices=SAMPLES, help="draw this world of the package anew")
    parser.add_argument("--size", choices=sorted(SIZES), default="standard")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--check", action="store_true", help="compare every file's digest as well")
    options = parser.parse_args()
    if options.sample:
        folder = _sample_path(options.sample)
        shutil.rmtree(folder, ignore_errors=True)
        make_world(folder, size=SIZES[options.sample])
    else:
        folder = world_folder(options.size, options.seed)
    if options.check:
        manifest.check_digests(folder)
    print(folder)


if __name__ == "__main__":
    main()
