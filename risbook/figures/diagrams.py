"""Diagrams: SVG files of the package, filled with scenes of the drawn sample where they have any.

A file ``diagram_files/NAME.svg`` uses ``currentColor`` and translucent fills, so that it is legible
on light and dark pages. Two placeholders stand for images: ``{{image:sample/ID}}`` for the image of
an id of refscenes-sample, and ``{{mask:sample/ID}}`` for the mask of the sentence of an id.
"""

import base64
import io
import re
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from risbook.errors import ArgumentError

_FOLDER = Path(__file__).with_name("diagram_files")
_PLACEHOLDER = re.compile(r"\{\{(image|mask):sample/(\d+)\}\}")

#: Below this width the diagram scrolls in its box, so that its text stays legible on phones.
_MIN_WIDTH = 680
_MAX_WIDTH = 960


class Diagram:
    """An SVG in a notebook; make it the last line of a cell, which then displays it."""

    def __init__(self, name: str, svg: str) -> None:
        self.name = name
        self.svg = svg

    def __repr__(self) -> str:
        return f"Diagram({self.name!r})"

    def _repr_html_(self) -> str:
        return (
            '<div class="ris-diagram" tabindex="0" '
            'style="overflow-x:auto;color:inherit;background:transparent">'
            f'<div style="min-width:{_MIN_WIDTH}px;max-width:{_MAX_WIDTH}px;margin:0 auto">'
            f"{self.svg}</div></div>"
        )


def list_diagrams() -> list[str]:
    """Names that `show_diagram` takes."""
    return sorted(path.stem for path in _FOLDER.glob("*.svg"))


def show_diagram(name: str) -> Diagram:
    """Show a diagram of an architecture or of the field; make it the last line of a cell.

    Args:
        name: one of `list_diagrams`, for instance "two_towers" or "first_model".

    Raises:
        ArgumentError: there is no such diagram.
    """
    if name not in list_diagrams():
        raise ArgumentError(f"name: unknown {name!r}, choose one of {', '.join(list_diagrams())}")
    svg = (_FOLDER / f"{name}.svg").read_text(encoding="utf-8").rstrip()
    return Diagram(name, _PLACEHOLDER.sub(lambda match: _data_uri(match[1], int(match[2])), svg))


@lru_cache(maxsize=32)
def _data_uri(content: str, number: int) -> str:
    """A small PNG of an image or a mask, as the address that an SVG takes."""
    # Imported here because most figures need no dataset.
    from risbook.data import open_data

    data = open_data("refscenes-sample", scale=2)
    if content == "image":
        image = Image.fromarray(data.image(number)).quantize(64, dither=Image.Dither.NONE)
    else:
        (expression,) = (row for row in data.expressions if row.sent_id == number)
        image = Image.fromarray(data.mask(expression).astype(np.uint8) * 255).convert("1")
    buffer = io.BytesIO()
    image.save(buffer, format="png", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
