"""Opening datasets by name and folder; finding and decoding their images."""

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import risbook.refscenes
from risbook.data.catalog import REAL_NAMES, REFSCENES_NAMES, SAMPLE_NAMES, open_data
from risbook.data.dataset import ReferData
from risbook.data.masks import mask_box
from risbook.errors import DataError

HEIGHT, WIDTH = 8, 10
NAME = "COCO_train2014_000000000011.jpg"


def write(root: Path, name: str = "refcoco", *, file_name: str = NAME, seg: Any = None) -> Path:
    """Write a dataset folder with one image and two objects, one of them described."""
    folder = root / name
    folder.mkdir(parents=True)
    ring = [1.0, 1.0, 5.0, 1.0, 5.0, 5.0, 1.0, 5.0]
    objects = [(101, 1, [ring] if seg is None else seg), (102, 18, [[0, 0, 10, 0, 10, 2, 0, 2]])]
    instances = {
        "images": [{"id": 11, "file_name": file_name, "height": HEIGHT, "width": WIDTH}],
        "annotations": [
            {"id": i, "image_id": 11, "category_id": c, "bbox": [1, 1, 4, 4], "segmentation": s}
            for i, c, s in objects
        ],
        "categories": [{"id": 1, "name": "person"}, {"id": 18, "name": "dog"}],
    }
    (folder / "instances.json").write_text(json.dumps(instances))
    sentence = {"sent_id": 0, "raw": "man", "sent": "man"}
    ref = {
        "ref_id": 0,
        "ann_id": 101,
        "image_id": 11,
        "split": "val",
        "sent_ids": [0],
        "sentences": [sentence],
    }
    (folder / "refs(unc).p").write_bytes(pickle.dumps([ref], protocol=2))
    return folder


def paint(path: Path, mode: str = "RGB", size: tuple[int, int] = (WIDTH, HEIGHT)) -> None:
    """Write an image of one colour; lossless, so that values can be compared."""
    path.parent.mkdir(parents=True, exist_ok=True)
    colours: dict[str, Any] = {"RGB": (200, 100, 50), "L": 90, "CMYK": (0, 255, 255, 0)}
    colour = colours.get(mode, (9, 8, 7, 255))
    ending = {"CMYK": "TIFF"}.get(mode, "PNG")
    Image.new(mode, size, colour).save(path, format=ending)


@pytest.mark.parametrize(
    "place",
    [
        f"images/mscoco/images/train2014/{NAME}",
        f"images/train2014/{NAME}",
        f"images/{NAME}",
        "images/train2014/000000000011.jpg",
        f"refcoco/images/{NAME}",
    ],
)
def test_images_are_found_in_every_usual_place(tmp_path: Path, place: str) -> None:
    folder = write(tmp_path)
    paint(tmp_path / place)
    for data in (open_data("refcoco", root=tmp_path), open_data(folder), open_data(str(folder))):
        assert data.name == "refcoco"
        image = data.image(data.expressions[0])
        assert (image.shape, image.dtype) == ((HEIGHT, WIDTH, 3), np.uint8)
        assert (image == (200, 100, 50)).all()
        assert data.image_path(11) == tmp_path / place
        np.testing.assert_array_equal(data.image(11), image)


def test_named_image_folder_wins(tmp_path: Path) -> None:
    write(tmp_path)
    paint(tmp_path / "images" / NAME)
    paint(tmp_path / "mine" / NAME, "L")
    data = open_data("refcoco", root=tmp_path, images=tmp_path / "mine")
    assert (data.image(11) == 90).all()
    (tmp_path / "mine" / NAME).unlink()
    with pytest.raises(DataError, match=r"is in none of: .*mine; put it there"):
        data.image(11)
    with pytest.raises(DataError, match=r"nothing': there is no such folder"):
        open_data("refcoco", root=tmp_path, images=tmp_path / "nothing")


def test_a_file_of_another_ending_is_no_problem(tmp_path: Path) -> None:
    write(tmp_path, "drawn", file_name="scene_11.png")
    paint(tmp_path / "images" / "scene_11.png")
    assert open_data(tmp_path / "drawn").image(11).shape == (HEIGHT, WIDTH, 3)


@pytest.mark.parametrize(
    ("mode", "colour"), [("L", (90, 90, 90)), ("CMYK", (255, 0, 0)), ("RGBA", (9, 8, 7))]
)
def test_every_colour_mode_becomes_rgb(
    tmp_path: Path, mode: str, colour: tuple[int, int, int]
) -> None:
    write(tmp_path)
    paint(tmp_path / "images" / NAME, mode)
    image = open_data("refcoco", root=tmp_path).image(11)
    assert image.shape == (HEIGHT, WIDTH, 3)
    assert (image == colour).all()


def test_a_rotation_mark_is_ignored(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "images").mkdir()
    image = Image.new("RGB", (WIDTH, HEIGHT))
    mark = Image.Exif()
    mark[0x0112] = 6
    image.save(tmp_path / "images" / NAME, exif=mark)
    assert open_data("refcoco", root=tmp_path).image(11).shape == (HEIGHT, WIDTH, 3)


def test_bad_images_are_named(tmp_path: Path) -> None:
    write(tmp_path)
    data = open_data("refcoco", root=tmp_path)
    path = tmp_path / "images" / NAME
    with pytest.raises(DataError, match=rf"image 11 \({NAME}\) is in none of"):
        data.image(data.expressions[0])
    paint(path, size=(HEIGHT, WIDTH))
    with pytest.raises(DataError, match=r"has 10 x 8 pixels .* annotation says 8 x 10"):
        data.image(11)
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path, format="JPEG")
    content = path.read_bytes()
    for broken in (b"", b"<html>", content[: len(content) // 2], content[:-40]):
        path.write_bytes(broken)
        with pytest.raises(DataError, match=rf"{NAME}: is not an image that can be read"):
            data.image(11)
    with pytest.raises(DataError, match="no image with id int 12"):
        data.image(12)


@pytest.mark.parametrize("file_name", ["../secret.jpg", "/etc/secret.jpg"])
def test_file_names_stay_in_the_image_folder(tmp_path: Path, file_name: str) -> None:
    write(tmp_path, file_name=file_name)
    with pytest.raises(DataError, match="leaves the image folder"):
        open_data("refcoco", root=tmp_path).image(11)


def test_masks_and_objects(tmp_path: Path) -> None:
    data = open_data(write(tmp_path))
    mask = data.mask(data.expressions[0])
    assert (mask.shape, mask.dtype, mask.sum()) == ((HEIGHT, WIDTH), np.bool_, 16)
    objects = data.objects(11)
    assert [category for category, _ in objects] == ["person", "dog"]
    np.testing.assert_array_equal(objects[0][1], mask)
    assert objects[1][1].sum() == 20
    with pytest.raises(DataError, match="no image with id"):
        data.objects(5)


def test_a_bad_segmentation_is_named(tmp_path: Path) -> None:
    data = open_data(write(tmp_path, seg=[[1, 2, 3]]))
    with pytest.raises(DataError, match=r"instances\.json: annotation 101: segmentation ring 0"):
        data.mask(data.expressions[0])
    with pytest.raises(DataError, match="annotation 101"):
        data.objects(11)


def test_captions(tmp_path: Path) -> None:
    folder = write(tmp_path)
    with pytest.raises(DataError, match="no caption of image int 11; only drawn datasets"):
        open_data(folder).caption(11)
    scenes = folder / "scenes.json"
    scenes.write_text(json.dumps({"11": {"caption": "a man in a meadow", "things": []}}))
    assert open_data(folder).caption(11) == "a man in a meadow"
    for bad in ("{", "[1]", '{"11": {}}', '{"a": {"caption": "b"}}', '{"11": 3}', "[" * 99_999):
        scenes.write_text(bad)
        message = r"scenes\.json: is not (a record of scenes|valid JSON)"
        with pytest.raises(DataError, match=message):
            open_data(folder).caption(11)


def test_drawn_names_ask_the_painter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in REFSCENES_NAMES:
        write(tmp_path / "world", name)
        write(tmp_path / "sample", name)
    sizes: list[str] = []

    def world_folder(size: str) -> Path:
        sizes.append(size)
        return tmp_path / "world"

    def sample_folder(size: str) -> Path:
        sizes.append(size)
        return tmp_path / "sample"

    module = risbook.refscenes
    monkeypatch.setattr(module, "world_folder", world_folder, raising=False)
    monkeypatch.setattr(module, "sample_folder", sample_folder, raising=False)
    for name in REFSCENES_NAMES:
        data = open_data(name)
        assert (data.name, data.folder) == (name, tmp_path / "world" / name)
    assert sizes == ["standard", "standard", "standard", "unseen"]
    sizes.clear()
    for name in REFSCENES_NAMES:
        data = open_data(f"{name}-sample")
        assert (data.name, data.folder) == (f"{name}-sample", tmp_path / "sample" / name)
    assert sizes == ["sample", "sample", "sample", "unseen-sample"]


@pytest.mark.parametrize("name", SAMPLE_NAMES)
def test_the_samples_open_with_images_masks_and_captions(name: str) -> None:
    data = open_data(name)
    assert data.name == name
    assert "train" in data.expressions.splits
    for ref in data.expressions.refs:
        expression = ref.expressions[0]
        mask = data.mask(expression)
        assert data.image(expression).shape == (*mask.shape, 3)
        assert mask_box(mask) == tuple(expression.bbox)
        assert data.caption(expression.image_id)
        assert len(data.objects(expression.image_id)) >= 1


def test_what_cannot_be_opened_says_why(tmp_path: Path) -> None:
    for name in REAL_NAMES:
        with pytest.raises(DataError, match="is a real dataset: name the folder"):
            open_data(name)
        with pytest.raises(DataError, match=r"holds no instances\.json; unpack"):
            open_data(name, root=tmp_path)
    with pytest.raises(DataError, match=r"no dataset or folder 'refkoko'; .*names are: "):
        open_data("refkoko")
    with pytest.raises(DataError, match=r"holds no instances\.json$"):
        open_data(tmp_path)
    write(tmp_path, "refcoco+")
    write(tmp_path, "refcoco")
    with pytest.raises(DataError, match=r"choose one of its folders: refcoco, refcoco\+"):
        open_data(tmp_path)
    with pytest.raises(DataError, match="no partition 'google'; it holds: unc"):
        open_data("refcoco", root=tmp_path, partition="google")


def test_a_dataset_travels_to_worker_processes(tmp_path: Path) -> None:
    data = open_data(write(tmp_path))
    paint(tmp_path / "images" / NAME)
    copy = pickle.loads(pickle.dumps(data))  # noqa: S301
    assert isinstance(copy, ReferData)
    assert copy.expressions == data.expressions
    np.testing.assert_array_equal(copy.image(11), data.image(11))


def test_the_real_excerpt_opens_with_all_images(photographs: Path) -> None:
    root = photographs / "mini_refcoco"
    if not root.is_dir():
        pytest.skip("the real excerpt of RefCOCO is not here")
    data = open_data("refcoco", root=root)
    assert len(data.expressions) == 44
    for ref in data.expressions.refs:
        expression = ref.expressions[0]
        assert data.image(expression).shape == (expression.height, expression.width, 3)
        assert data.mask(expression).shape == (expression.height, expression.width)
        assert len(data.objects(expression.image_id)) >= 1
