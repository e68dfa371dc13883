"""The slider over precomputed images."""

import base64
import io
import json
import re

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from risbook.errors import DataError
from risbook.figures import FrameSlider


def frames(**changes):
    images = [np.full((20, 30, 3), level, np.uint8) for level in (0, 120, 250)]
    settings = {
        "frames": images,
        "labels": ["a", "b</script>", "c"],
        "title": "level",
        "alt": "x",
    }
    return FrameSlider(**(settings | changes))


def test_html_stands_alone_and_is_the_same_every_time():
    page = frames()._repr_html_()
    assert page == frames()._repr_html_()
    assert "http" not in page
    assert page.count("</script>") == 1  # a label cannot end the script
    assert 'type="range" min="0" max="2"' in page
    assert frames(title="other")._repr_html_() != page


@pytest.mark.parametrize("label", ["<!--<script>", "</script>", "a < b & c"])
def test_no_label_opens_or_ends_an_element(label):
    page = frames(labels=[label, label, label])._repr_html_()
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.S)
    assert "<" not in script
    coded = re.search(r"labels = (\[.*?\]);", script).group(1)
    assert json.loads(coded) == [label] * 3  # and JavaScript reads it as it was


def test_first_image_is_visible_without_javascript():
    page = frames()._repr_html_()
    coded = re.search(r'<img src="data:image/png;base64,([^"]+)" alt="x">', page).group(1)
    image = Image.open(io.BytesIO(base64.b64decode(coded)))
    assert image.size == (30, 20)
    assert image.convert("RGB").getpixel((5, 5)) == (0, 0, 0)
    assert '<div class="ris-bar" hidden>' in page


def test_figures_are_closed_and_text_is_escaped():
    figure, ax = plt.subplots(figsize=(1, 1))
    ax.plot([0, 1])
    shown = frames(frames=[figure], labels=["<b>"], alt='say "x"')
    assert not plt.fignum_exists(figure.number)
    assert 'alt="say &quot;x&quot;"' in shown._repr_html_()


def test_outside_a_kernel_there_is_no_widget():
    bundle = frames()._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html"}
    assert bundle["text/plain"] == "FrameSlider(3 frames: level)"


def test_the_live_control_moves_image_and_words(monkeypatch):
    pytest.importorskip("ipywidgets")
    import IPython.core.getipython as where

    class Shell:
        kernel = object()

    monkeypatch.delenv("RISBOOK_STATIC", raising=False)
    monkeypatch.setattr(where, "get_ipython", Shell)
    shown = frames()
    view = shown._widget()
    _, image, slider, caption = view.children
    slider.value = 2
    assert image.value == shown.frames[2]
    assert caption.value == "c"
    monkeypatch.setenv("RISBOOK_STATIC", "1")
    assert frames()._widget() is None


def test_the_frame_that_is_shown_first_can_be_chosen(monkeypatch):
    page = frames(start=2)._repr_html_()
    coded = re.search(r'<img src="data:image/png;base64,([^"]+)" alt="x">', page).group(1)
    image = Image.open(io.BytesIO(base64.b64decode(coded)))
    assert image.convert("RGB").getpixel((5, 5)) == (250, 250, 250)
    assert 'max="2" value="2"' in page
    assert '<output aria-live="polite">c</output>' in page
    ipywidgets = pytest.importorskip("ipywidgets")
    monkeypatch.setattr("risbook.figures.interactive.live_widgets", lambda: ipywidgets)
    _, _, slider, caption = frames(start=2)._widget().children
    assert (slider.value, caption.value) == (2, "c")


@pytest.mark.parametrize("start", [-1, 3])
def test_a_start_without_a_frame_is_refused(start):
    with pytest.raises(
        DataError, match=f"start is {start}, but the frames have the indices 0 to 2"
    ):
        frames(start=start)


def test_frames_and_labels_must_match():
    with pytest.raises(DataError, match="3 frames and 1 labels"):
        frames(labels=["only one"])


def test_all_frames_are_shown_small_below_the_slider():
    page = frames()._repr_html_()
    assert '<div class="ris-all"></div>' in page  # filled by the script, from the same frames
    assert page.count("ris-all") == 5  # three rules of style, the grid, the script
