"""The text field for sentences of one's own."""

import io

import matplotlib

matplotlib.use("agg")

import numpy as np
import pytest
from PIL import Image

from risbook.errors import DataError
from risbook.figures import SentenceBox


class HalfModel:
    """Predicts the left or the right half of an image."""

    def predict(self, image, sentence):
        if not sentence:
            raise DataError("the sentence is empty")
        mask = np.zeros(image.shape[:2], bool)
        half = image.shape[1] // 2
        mask[:, slice(None, half) if "left" in sentence else slice(half, None)] = True
        return mask


def box(sentence="the left <half>"):
    return SentenceBox(HalfModel(), np.full((20, 30, 3), 200, np.uint8), sentence)


def pixel(png, x, y):
    return Image.open(io.BytesIO(png)).convert("RGB").getpixel((x, y))


def test_outside_a_kernel_the_first_sentence_is_shown():
    bundle = box()._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html"}
    assert bundle["text/plain"] == "SentenceBox('the left <half>')"
    page = bundle["text/html"]
    assert page == box()._repr_html_()
    assert "the left &lt;half&gt;" in page
    assert 'alt="the image with the mask predicted for:' in page


def test_the_mask_is_painted_where_the_model_predicts_it():
    shown = box()
    for sentence, x in (("left", 2), ("right", 28)):
        png = shown.predict(sentence)
        assert pixel(png, x, 5) != (200, 200, 200)
        assert pixel(png, 30 - x, 5) == (200, 200, 200)


def test_a_new_sentence_gives_a_new_mask(monkeypatch):
    pytest.importorskip("ipywidgets")
    import IPython.core.getipython as where

    class Shell:
        kernel = object()

    monkeypatch.delenv("RISBOOK_STATIC", raising=False)
    monkeypatch.setattr(where, "get_ipython", Shell)
    shown = box()
    field, image, message = shown._widget().children
    assert image.value == shown.predict("left")
    field.value = "right"
    assert image.value == shown.predict("right")
    field.value = ""
    assert message.value == "the sentence is empty"
    field.value = "left"
    assert message.value == ""
    assert "application/vnd.jupyter.widget-view+json" in shown._repr_mimebundle_()
    monkeypatch.setenv("RISBOOK_STATIC", "1")
    assert box()._widget() is None
