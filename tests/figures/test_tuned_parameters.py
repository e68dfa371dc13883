"""The figure of accuracy against tuned parameters: its marks, their numbers, and its markup."""

import re
from xml.etree import ElementTree

import pytest

from risbook.figures.tuned_parameters import COUNTED, render_figure
from risbook.ledger import published
from risbook.systems.parameters import count_parameters
from risbook.systems.system_presets import build_meta_system

SVG = "{http://www.w3.org/2000/svg}"
TEXT = render_figure()


def marks() -> list[ElementTree.Element]:
    svg = TEXT[TEXT.index("<svg") : TEXT.index("</svg>") + 6]
    tree = ElementTree.fromstring(svg)
    return [group for group in tree.iter("g") if group.get("class") == "ris-point"]


def test_every_mark_is_a_line_of_the_ledger() -> None:
    lines = [
        line
        for line in published(metric="mIoU", dataset="refcoco", split="val", variant="")
        if line.training == "single" and line.evidence != "re-run"
        if line.tuned or line.system in COUNTED
    ]
    labels = [mark.get("aria-label", "") for mark in marks()]
    assert len(labels) == len(lines) > 15
    for line in lines:
        [label] = [text for text in labels if text.startswith(f"{line.system}, {line.backbone};")]
        assert f"{line.printed} %" in label
        assert line.source.title in label
        assert (line.evidence == "second-hand") == ("second-hand" in label)
        if line.tuned:
            assert f"tuned {line.tuned} (as printed)" in label


def test_marks_rise_with_the_score_and_go_right_with_the_parameters() -> None:
    places, numbers = [], []
    for mark in marks():
        group = mark.find("g")
        assert group is not None
        x, y = re.findall(r"[\d.]+", group.get("transform", ""))
        places.append((float(x), float(y)))
        numbers.append(float(re.findall(r"val ([\d.]+) %", mark.get("aria-label", ""))[0]))
    assert [x for x, _ in places] == sorted(x for x, _ in places)
    by_score = sorted(zip(numbers, places, strict=True))
    heights = [y for _, (_, y) in by_score]
    assert heights == sorted(heights, reverse=True)


def test_keyboard_and_screen_readers_reach_every_mark() -> None:
    for mark in marks():
        assert (mark.get("tabindex"), mark.get("role")) == ("0", "img")
    assert re.search(
        r'<svg [^>]*role="group" aria-label="Scatter plot of \d+ published models', TEXT
    )


def test_the_page_takes_it_for_one_block_of_html_without_remote_parts() -> None:
    body = TEXT.split("\n\n")
    assert len(body) == 3  # an empty line would end the block
    assert "http" not in TEXT


@pytest.mark.parametrize(("system", "preset"), [("DETRIS-B", "detris-b"), ("DETRIS-L", "detris-l")])
def test_our_counts_are_those_of_the_presets(system: str, preset: str) -> None:
    assert count_parameters(build_meta_system(preset)).backbone_tuned == COUNTED[system]
