"""Diagrams: complete SVG that needs nothing from outside."""

import base64
import io
import re
import xml.etree.ElementTree as ElementTree

import pytest
from PIL import Image

from risbook.errors import ArgumentError
from risbook.figures import list_diagrams, show_diagram
from risbook.systems.first_model import FirstModelConfig
from risbook.systems.system_presets import system_config

#: They show papers, the numbers of a grid, or modules beside at most one scene.
WITHOUT_SCENES = (
    "adapters",
    "bridger",
    "bridgers",
    "caa",
    "convolution",
    "decoder",
    "dense_aligner",
    "dmoc",
    "glia",
    "mica",
    "mica_adapters",
    "target_shift",
    "text_adapter",
    "timeline",
)


@pytest.fixture(params=list_diagrams())
def diagram(request):
    return show_diagram(request.param)


def test_the_diagrams_are_listed():
    assert {"first_model", "two_towers", *WITHOUT_SCENES} <= set(list_diagrams())
    with pytest.raises(ArgumentError, match="target_shift, text_adapter, timeline"):
        show_diagram("resnet")


def test_a_diagram_is_one_svg_with_a_text_that_stands_for_it(diagram):
    root = ElementTree.fromstring(diagram.svg)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert root.get("role") == "img"
    assert len(root.get("aria-label").split()) > 20
    assert repr(diagram) == f"Diagram({diagram.name!r})"
    assert diagram._repr_html_() == show_diagram(diagram.name)._repr_html_()
    assert "{{" not in diagram.svg
    assert not re.search(r'(href|src)="(?!data:)', diagram.svg)


def test_text_is_legible_on_light_and_dark_pages_at_760_pixels(diagram):
    width = float(ElementTree.fromstring(diagram.svg).get("viewBox").split()[2])
    sizes = [float(size) for size in re.findall(r"font-size:([\d.]+)px", diagram.svg)]
    assert min(sizes) * 760 / width >= 12
    assert "fill:currentColor" in diagram.svg
    assert "fill:black" not in diagram.svg


def test_images_of_the_sample_are_embedded(diagram):
    coded = re.findall(r'href="data:image/png;base64,([^"]+)"', diagram.svg)
    images = [Image.open(io.BytesIO(base64.b64decode(text))) for text in coded]
    assert len(images) >= 2 or diagram.name in WITHOUT_SCENES
    assert all(image.width == 320 for image in images)  # twice the size of the sample's scenes
    assert len(diagram.svg) < 100_000


def test_the_shapes_of_the_first_model_are_those_of_the_model_that_its_chapter_trains():
    chapter = {"image_size": 48, "map_dims": (16, 32, 64, 96), "blocks": 1, "decoder_dim": 64}
    svg, config = show_diagram("first_model").svg, FirstModelConfig(**chapter)
    for channels, stride in zip(config.map_dims, (2, 4, 8, 16), strict=True):
        side = config.image_size // stride
        assert f"(B, {channels}, {side}, {side})" in svg
    total = config.map_dims[2] + config.map_dims[3] + config.text_dim + 2
    side = config.image_size // 8
    assert f"(B, {total}, {side}, {side})" in svg
    assert f"(B, {config.decoder_dim}, {side}, {side})" in svg
    assert f"(B, L, {config.word_dim})" in svg
    assert f"(B, {config.text_dim})" in svg


def test_the_parts_of_the_first_model_have_the_names_of_its_chapter():
    svg = show_diagram("first_model").svg
    texts = " ".join(re.findall(r"<text[^>]*>([^<]+)</text>", svg))
    for name in ("image tower", "text tower", "sentence embedding", "decoder", "coordinates"):
        assert name in texts
    assert not re.search(r"convolutional tower|sentence vector|recurrent", svg)


def test_the_shapes_of_etris_are_those_of_etris_mini():
    svg, config = show_diagram("etris").svg, system_config("etris-mini")
    side = config.image_size // 8  # patches
    head = config.head
    assert f"(B, {head.dim}, {side}, {side})" in svg
    assert f"(B, {head.projector_dim}, {4 * side}, {4 * side})" in svg
    assert f"(B, {head.projector_dim}, 3, 3)" in svg
    assert f"(B, 3, {config.image_size}, {config.image_size})" in svg
    assert f"decoder, {head.num_layers} layers" in svg
    for name in ("Bridger 3", "neck", "Projector", "mask head"):
        assert name in svg


def test_the_shapes_of_detris_are_those_of_detris_s():
    svg, config = show_diagram("detris").svg, system_config("detris-s")
    side = config.image_size // 14  # patches
    head = config.head
    assert f"(B, {head.dim}, {side}, {side})" in svg
    assert f"(B, 384, {side}, {side})" in svg
    assert f"(B, {head.projector_dim}, {4 * side}, {4 * side})" in svg
    assert f"(B, {head.projector_dim}, 3, 3)" in svg
    assert f"(B, 3, {config.image_size}, {config.image_size})" in svg
    assert f"decoder, {head.num_layers} layers" in svg
    # an adapter for each of the blocks that have one
    assert svg.count(">DA<") == len(config.aligner.blocks)
    assert svg.count(">TA<") == len(config.text_adapter.blocks)


def test_the_diagram_of_mica_has_the_adapters_of_the_released_configuration():
    svg, config = show_diagram("mica").svg, system_config("mica-b")
    assert svg.count(">GLiA<") == len(config.glia.blocks) + len(config.text_glia.blocks)
    assert svg.count(">CAA<") == len(config.caa.blocks) + len(config.text_caa.blocks)
    width = config.caa.bottleneck_dim
    for shape in (f"768 → {width}", f"R (B, 1029, {width})", f"(B, {width}, 32, 32)"):
        assert shape in show_diagram("caa").svg
