"""The kinds that refscenes-unseen holds out are never shown and never named outside test_unseen."""

import json
import pickle
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from refscenes_evaluator import NOUNS

from risbook.data import open_data
from risbook.refscenes import FAMILIES, WorldSize, generate_scene, make_world
from risbook.refscenes.scene_sampler import sample_scene
from risbook.refscenes.scene_types import Scene
from risbook.refscenes.unseen_kinds import UNSEEN_KINDS, UNSEEN_WORDS, fits_split, words_of

SIZE = WorldSize(name="test", unseen=(80, 10, 10, 15))
UNSEEN_CATEGORIES = {"sheep", "bus"}
#: the kinds in all forms in which they could occur
FORBIDDEN = re.compile(r"sheep|lamb|bus|coach|beanie", re.IGNORECASE)

Record = dict[str, Any]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small world with refscenes-unseen."""
    return make_world(tmp_path_factory.mktemp("worlds") / "unseen", size=SIZE, progress=False)


@pytest.fixture(scope="module")
def records(world: Path) -> dict[str, list[Record]]:
    """The scenes of each split."""
    scenes = json.loads((world / "refscenes-unseen" / "scenes.json").read_text())
    splits: dict[str, list[Record]] = {}
    for record in scenes.values():
        splits.setdefault(record["split"], []).append(record)
    return splits


@pytest.fixture(scope="module")
def refs(world: Path) -> dict[str, list[Record]]:
    """The described objects of each split, as the file of the partition has them."""
    content = (world / "refscenes-unseen" / "refs(zero-shot).p").read_bytes()
    splits: dict[str, list[Record]] = {}
    for ref in pickle.loads(content):  # noqa: S301 - our own
        splits.setdefault(ref["split"], []).append(ref)
    return splits


def test_the_splits_have_their_scenes(records: dict[str, list[Record]]) -> None:
    counts = {split: len(scenes) for split, scenes in records.items()}
    assert counts == {"train": 80, "val": 10, "test_seen": 10, "test_unseen": 15}


def test_an_unseen_kind_has_seen_relatives() -> None:
    assert UNSEEN_KINDS == ("sheep", "bus", "beanie")
    for word, kinds in NOUNS.items():
        assert (word in UNSEEN_WORDS) == (kinds <= UNSEEN_CATEGORIES), word
    for word in ("animal", "vehicle"):
        assert NOUNS[word] - UNSEEN_CATEGORIES


def test_words_of_a_kind_are_its_synonyms() -> None:
    assert words_of("suitcase") == {"suitcase", "luggage"}
    assert words_of("man") == {"man", "guy"}
    assert words_of("bus") == {"bus"}


@pytest.mark.parametrize("split", ["train", "val", "test_seen"])
def test_seen_splits_never_show_an_unseen_kind(
    records: dict[str, list[Record]], split: str
) -> None:
    objects = [obj for record in records[split] for obj in record["things"]]
    assert len(objects) > 3 * len(records[split])
    assert not {obj["kind"] for obj in objects} & UNSEEN_CATEGORIES
    assert "beanie" not in {obj.get("hat") for obj in objects}


@pytest.mark.parametrize("split", ["train", "val", "test_seen"])
def test_seen_splits_never_name_an_unseen_kind(
    records: dict[str, list[Record]], refs: dict[str, list[Record]], split: str
) -> None:
    sentences = [sentence for ref in refs[split] for sentence in ref["sentences"]]
    texts = [sentence[form] for sentence in sentences for form in ("raw", "sent")]
    texts += [" ".join(sentence["tokens"]) for sentence in sentences]
    texts += [record["caption"] for record in records[split]]
    assert len(texts) > 30
    assert [text for text in texts if FORBIDDEN.search(text)] == []
    # By sense: no word means unseen kinds alone, whatever it is.
    words = set(re.findall("[a-z]+", " ".join(texts).lower()))
    assert not {word for word in words if word in NOUNS and NOUNS[word] <= UNSEEN_CATEGORIES}


def test_training_knows_the_superordinate_words(refs: dict[str, list[Record]]) -> None:
    words = {w for ref in refs["train"] for s in ref["sentences"] for w in s["tokens"]}
    assert {"animal", "vehicle", "hat", "cap", "dog", "horse", "car"} <= words


def test_every_unseen_expression_names_an_unseen_kind_of_its_object(
    world: Path, records: dict[str, list[Record]], refs: dict[str, list[Record]]
) -> None:
    objects = {obj["ann_id"]: obj for r in records["test_unseen"] for obj in r["things"]}
    assert {ref["ann_id"] for ref in refs["test_unseen"]} <= set(objects)
    for ref in refs["test_unseen"]:
        obj = objects[ref["ann_id"]]
        kinds = {obj["kind"], obj.get("hat")} & set(UNSEEN_KINDS)
        for sentence in ref["sentences"]:
            assert kinds & set(sentence["tokens"]), sentence["sent"]
    assert {ref["image_id"] for ref in refs["test_unseen"]} == {
        expression.image_id
        for expression in open_data(world / "refscenes-unseen").expressions.split("test_unseen")
    }


def test_unseen_kinds_take_turns(records: dict[str, list[Record]]) -> None:
    for index, record in enumerate(records["test_unseen"]):
        kind = UNSEEN_KINDS[index % 3]
        assert any(kind in (obj["kind"], obj.get("hat")) for obj in record["things"])


def test_a_scene_that_shows_an_unseen_kind_fits_no_seen_split() -> None:
    scene = next(
        scene
        for seed in range(100)
        for scene in [sample_scene(np.random.default_rng(seed), theme="people")]
        if fits_split(scene, split="train", index=0)
    )
    first = scene.objects[0]
    person = next(obj for obj in scene.objects if obj.supercategory == "people")

    def fits(changed: Any, old: Any) -> list[bool]:
        objects = tuple(changed if obj is old else obj for obj in scene.objects)
        shown: Scene = replace(scene, objects=objects)
        splits = [("train", 0), ("val", 0), ("test_seen", 0)]
        splits += [("test_unseen", index) for index in range(3)]
        return [fits_split(shown, split=split, index=index) for split, index in splits]

    assert fits(first, first) == [True, True, True, False, False, False]
    sheep, bus = replace(first, category="sheep"), replace(first, category="bus")
    assert fits(sheep, first) == [False, False, False, True, False, False]
    assert fits(bus, first) == [False, False, False, False, True, False]
    beanie = replace(person, hat="beanie", hat_colour="red")
    assert fits(beanie, person) == [False, False, False, False, False, True]


def test_every_scene_can_be_generated_by_itself(records: dict[str, list[Record]]) -> None:
    family = FAMILIES[2]
    for split in family.splits:
        last = len(records[split]) - 1
        assert generate_scene(family, split, last).caption == records[split][last]["caption"]
