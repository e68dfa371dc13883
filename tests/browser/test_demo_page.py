"""The page Demo: answers, keyboard, and the same probabilities as PyTorch."""

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from build_demo import SYSTEM, probability_of
from PIL import Image

from risbook.systems import load_system
from risbook.systems.postprocess import THRESHOLD

pytestmark = pytest.mark.xdist_group("browser")


def part(tab: Any, name: str) -> Any:
    """An element of the demo, by the name of its part."""
    return tab.locator(f"#ris-demo [data-part={name}]")


@pytest.fixture(scope="module")
def data(html: Path) -> dict[str, Any]:
    """What the page loads."""
    text = (html / "_static/demo/demo_data.js").read_text(encoding="utf-8")
    computed: dict[str, Any] = json.loads(text.partition("= ")[2].rstrip(";\n"))
    return computed


@pytest.fixture
def tab(site: str, browser: Any) -> Any:
    page = browser.new_page()
    page.goto(f"{site}/book/demo.html")
    yield page
    page.close()


def test_a_listed_sentence_shows_its_recorded_mask(tab: Any, data: dict[str, Any]) -> None:
    entry = data["images"][1]
    part(tab, "images").locator("button").nth(1).click()
    part(tab, "sentences").locator("button").first.press("Enter")  # the keyboard presses it
    tab.wait_for_selector("#ris-demo[data-mask]", state="attached")
    shown = [int(digit) for digit in tab.locator("#ris-demo").get_attribute("data-mask")]
    runs = entry["answers"][0]["runs"]
    recorded = np.concatenate([np.full(length, place % 2) for place, length in enumerate(runs)])
    assert shown == recorded.tolist()
    assert 0 < sum(shown) < len(shown)
    assert "Recorded answer" in part(tab, "status").inner_text()
    assert "%" in part(tab, "canvas").get_attribute("aria-label")


def test_unknown_words_and_missing_sentences_are_pointed_out(tab: Any) -> None:
    part(tab, "form").locator("button[type=submit]").click()
    assert "Type a sentence" in part(tab, "status").inner_text()
    part(tab, "sentence").fill("the left zebra")
    part(tab, "sentence").press("Enter")
    assert "zebra" in part(tab, "status").inner_text()
    assert "left" not in part(tab, "status").inner_text()


def test_a_page_from_disk_shows_recorded_answers(html: Path, browser: Any) -> None:
    tab = browser.new_page()
    tab.goto((html / "book/demo.html").as_uri())
    part(tab, "sentences").locator("button").first.click()
    tab.wait_for_selector("#ris-demo[data-mask]", state="attached")
    if part(tab, "load").is_visible():
        part(tab, "load").click()
        tab.wait_for_function("document.querySelector('.ris-demo-error') !== null")
        assert "http.server" in part(tab, "status").inner_text()
    tab.close()


def test_the_browser_computes_what_pytorch_computes(
    tab: Any, data: dict[str, Any], html: Path
) -> None:
    if not data["model"]:
        pytest.skip(data["why_not"])
    part(tab, "load").click()
    tab.wait_for_selector("#ris-demo[data-ready]", state="attached", timeout=120_000)
    system = load_system(SYSTEM)
    for place, sentence in ((0, "the left man"), (2, "Red mug, on the right!"), (4, "a zebra")):
        entry = data["images"][place]
        part(tab, "images").locator("button").nth(place).click()
        part(tab, "sentence").fill(sentence)
        part(tab, "sentence").press("Enter")
        tab.wait_for_selector("#ris-demo[data-mask]", state="attached", timeout=60_000)
        computed = np.array(json.loads(tab.locator("#ris-demo").get_attribute("data-probability")))
        pixels = np.asarray(Image.open(html / "_static/demo" / entry["input"]).convert("RGB"))
        with pytest.warns(UserWarning) if "zebra" in sentence else nullcontext():
            wanted = probability_of(system, pixels, sentence)
        assert np.abs(computed.reshape(wanted.shape) - wanted).max() < 1e-3
        digits = tab.locator("#ris-demo").get_attribute("data-mask")
        mask = np.array([int(digit) for digit in digits])
        unsure = np.abs(wanted.ravel() - THRESHOLD) < 1e-3
        assert ((mask == (wanted.ravel() > THRESHOLD)) | unsure).all()
        assert "Computed in" in part(tab, "status").inner_text()
