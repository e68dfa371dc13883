"""Drawn worlds as files: the REFER layout, their splits, and the same bytes every time."""

import hashlib
import json
import os
import pickle
import pickletools
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from refscenes_evaluator import denoted

from risbook import refscenes
from risbook.data.masks import decode_mask
from risbook.errors import DataError
from risbook.refscenes.sets import (
    FAMILIES,
    SAMPLE,
    SIZES,
    TINY,
    UNSEEN_TINY,
    WorldSize,
    generate_scene,
)
from risbook.refscenes.write import IMAGES, SAMPLES

SETS = {name: family for family in FAMILIES for name in family.sets}
#: set -> the tiny world that holds it
SIZE_OF = {name: size for size in (TINY, UNSEEN_TINY) for name in size.partitions}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny world."""
    root = tmp_path_factory.mktemp("worlds") / "tiny"
    return refscenes.make_world(root, size=TINY, progress=False)


@pytest.fixture(scope="module")
def roots(world: Path, unseen_world: Path) -> dict[str, Path]:
    """Each set, and the folder of the tiny world that holds it."""
    return {name: world if size is TINY else unseen_world for name, size in SIZE_OF.items()}


def load(root: Path, name: str) -> tuple[dict[str, Any], list[dict[str, Any]], dict[str, Any]]:
    """instances.json, refs and scenes.json of one set."""
    folder = root / name
    partition = SETS[name].partition
    return (
        json.loads((folder / "instances.json").read_text()),
        pickle.loads((folder / f"refs({partition}).p").read_bytes()),  # noqa: S301 - our own
        json.loads((folder / "scenes.json").read_text()),
    )


def digests(root: Path) -> dict[str, str]:
    """Hash of every file below a folder."""
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("name", SETS)
def test_layout_is_that_of_refer(roots: dict[str, Path], name: str) -> None:
    world = roots[name]
    instances, refs, scenes = load(world, name)
    images = {image["id"]: image for image in instances["images"]}
    annotations = {annotation["id"]: annotation for annotation in instances["annotations"]}
    categories = {category["id"]: category["name"] for category in instances["categories"]}
    assert {str(image_id) for image_id in images} == set(scenes)
    assert len(categories) == 19
    assert [ref["ref_id"] for ref in refs] == list(range(len(refs)))
    sent_ids = [sent_id for ref in refs for sent_id in ref["sent_ids"]]
    assert sent_ids == list(range(len(sent_ids)))
    assert 2 <= len(refs) / len(images) <= 3
    for ref in refs:
        assert set(ref) == {
            "ref_id", "ann_id", "image_id", "category_id", "file_name", "split", "sent_ids",
            "sentences",
        }  # fmt: skip
        annotation = annotations[ref["ann_id"]]
        assert annotation["image_id"] == ref["image_id"]
        assert annotation["category_id"] == ref["category_id"]
        assert annotation["area"] >= 60
        person = categories[ref["category_id"]] in ("man", "woman", "child")
        assert person or ref["split"] != "testA"
        assert not person or ref["split"] != "testB"
        for sentence in ref["sentences"]:
            assert set(sentence) == {"sent_id", "raw", "sent", "tokens"}
            assert sentence["tokens"] == sentence["sent"].split()
            assert denoted(sentence["sent"], scenes[str(ref["image_id"])]) == {ref["ann_id"]}
    for image in images.values():
        path = world / IMAGES / image["file_name"]
        with Image.open(path) as image_file:
            assert image_file.size == (image["width"], image["height"])
    for annotation in annotations.values():
        image = images[annotation["image_id"]]
        mask = decode_mask(annotation["segmentation"], image["height"], image["width"])
        ys, xs = np.nonzero(mask)
        x, y, w, h = annotation["bbox"]
        assert (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1) == (x, y, x + w, y + h)
        assert mask.sum() == annotation["area"]
    ann_ids = [obj["ann_id"] for scene in scenes.values() for obj in scene["things"]]
    assert set(ann_ids) == set(annotations)


def test_pickles_hold_plain_values_only(roots: dict[str, Path]) -> None:
    for name, family in SETS.items():
        data = (roots[name] / name / f"refs({family.partition}).p").read_bytes()
        opcodes = {opcode.name for opcode, _, _ in pickletools.genops(data)}
        assert not opcodes & {"GLOBAL", "REDUCE", "STACK_GLOBAL", "BUILD", "INST", "OBJ", "NEWOBJ"}
        assert data[:2] == b"\x80\x02"


def test_split_sizes_and_no_leak(world: Path, roots: dict[str, Path]) -> None:
    split_of: dict[int, set[str]] = {}
    file_of: dict[int, Path] = {}
    for name, family in SETS.items():
        instances, refs, _ = load(roots[name], name)
        images = roots[name] / IMAGES
        file_of |= {image["id"]: images / image["file_name"] for image in instances["images"]}
        for ref in refs:
            split_of.setdefault(ref["image_id"], set()).add(ref["split"])
        counts = SIZE_OF[name].families[family]
        for split, count in zip(family.splits, counts, strict=True):
            assert len({ref["image_id"] for ref in refs if ref["split"] == split}) == count
    assert all(len(splits) == 1 for splits in split_of.values())
    pixels: dict[bytes, int] = {}
    for image_id, file in file_of.items():
        with Image.open(file) as image_file:
            digest = hashlib.sha256(np.asarray(image_file).tobytes()).digest()
        assert pixels.setdefault(digest, image_id) == image_id
    shared, _, _ = load(world, "refscenes")
    plus, _, _ = load(world, "refscenes+")
    own, _, _ = load(world, "refscenesg")
    assert shared["images"] == plus["images"] and shared["annotations"] == plus["annotations"]
    assert not {image["id"] for image in shared["images"]} & {
        image["id"] for image in own["images"]
    }


def test_same_bytes_again_and_in_another_process(tmp_path: Path) -> None:
    small = WorldSize(name="x", refscenes=(3, 1, 1, 1), refscenesg=(1, 1, 1), unseen=(2, 1, 1, 3))
    here = refscenes.make_world(tmp_path / "here", size=small, progress=False)
    code = (
        "import sys; from pathlib import Path; from risbook.refscenes import *;"
        "images = {'refscenes': (3, 1, 1, 1), 'refscenesg': (1, 1, 1), 'unseen': (2, 1, 1, 3)};"
        "size = WorldSize(name='x', **images);"
        "make_world(Path(sys.argv[1]), size=size, progress=False)"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "3"}
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "there")], check=True, env=environment
    )
    assert digests(here) == digests(tmp_path / "there")
    other = refscenes.make_world(tmp_path / "other", size=small, seed=1, progress=False)
    assert digests(here) != digests(other)


def test_a_scene_does_not_depend_on_the_size_of_the_world(world: Path) -> None:
    _, _, scenes = load(world, "refscenes")
    annotated = generate_scene(FAMILIES[0], "val", 7)
    assert scenes[str(annotated.image_id)]["caption"] == annotated.caption
    with Image.open(world / IMAGES / annotated.file_name) as image_file:
        difference = np.asarray(image_file).astype(int) - annotated.rendered.image
    assert np.abs(difference).mean() < 3


def test_make_world_keeps_what_is_there(world: Path, tmp_path: Path) -> None:
    before = digests(world)
    assert refscenes.make_world(world, size=TINY, progress=False) == world
    assert digests(world) == before
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(DataError, match="no RefScenes world"):
        refscenes.make_world(tmp_path, size=TINY, progress=False)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_whoever_is_second_uses_the_first_one(
    tmp_path: Path, world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process finishes while this one is still drawing."""
    from risbook.refscenes import write

    root = tmp_path / "world"
    draw_it = write._write_world

    def slower(*arguments: Any) -> None:
        draw_it(*arguments)
        root.symlink_to(world)

    monkeypatch.setattr(write, "_write_world", slower)
    small = WorldSize(name="x", refscenes=(1, 0, 0, 0), refscenesg=(1, 0, 0))
    assert write.make_world(root, size=small, progress=False) == root
    assert root.is_symlink() and digests(root / "refscenes") == digests(world / "refscenes")
    assert [path.name for path in tmp_path.iterdir()] == ["world"]


def test_a_world_of_another_seed_is_not_taken_for_this_one(world: Path) -> None:
    assert refscenes.make_world(world, size=TINY, progress=False) == world
    with pytest.raises(DataError, match="another size or seed"):
        refscenes.make_world(world, size=TINY, seed=7, progress=False)
    with pytest.raises(DataError, match="another size or seed"):
        refscenes.make_world(world, size=SAMPLE, progress=False)


def test_world_folder_uses_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RISBOOK_CACHE", str(tmp_path))
    folder = refscenes.world_folder("sample")
    assert folder.parent == tmp_path and "v1" in folder.name
    assert (folder / "refscenesg" / "refs(umd).p").is_file()
    assert refscenes.world_folder("sample") == folder
    unseen = refscenes.world_folder("unseen-sample")
    assert unseen != folder and (unseen / "refscenes-unseen" / "refs(zero-shot).p").is_file()
    with pytest.raises(DataError, match="size: unknown 'huge'"):
        refscenes.world_folder("huge")


@pytest.mark.parametrize("sample", SAMPLES)
def test_the_committed_sample_is_what_the_code_draws(sample: str, tmp_path: Path) -> None:
    kept = refscenes.sample_folder(sample)
    assert sum(path.stat().st_size for path in kept.rglob("*") if path.is_file()) < 500_000
    fresh = refscenes.make_world(tmp_path / "sample", size=SIZES[sample], progress=False)
    assert (kept / "world.json").read_bytes() == (fresh / "world.json").read_bytes()
    for name in SIZES[sample].partitions:
        for old, new in zip(load(kept, name)[1:], load(fresh, name)[1:], strict=True):
            assert old == new
    names = sorted(path.name for path in (kept / IMAGES).iterdir())
    assert names == sorted(path.name for path in (fresh / IMAGES).iterdir())
    for name in names:
        with (
            Image.open(kept / IMAGES / name) as old_image,
            Image.open(fresh / IMAGES / name) as new_image,
        ):
            difference = np.asarray(old_image).astype(int) - np.asarray(new_image)
        assert np.abs(difference).mean() < 2


def test_importing_the_package_draws_nothing() -> None:
    code = (
        "import sys, risbook.refscenes as r;"
        "print([m for m in sys.modules if m.startswith('risbook.refscenes.')]); r.generate_scene"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    assert result.stdout.strip() == "[]"
    with pytest.raises(AttributeError, match="nothing"):
        refscenes.nothing  # noqa: B018
