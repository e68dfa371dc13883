"""A slider over precomputed images that works in a live notebook and in the printed book.

A slider of ipywidgets is dead in a static page, and a slider of plain HTML cannot call a kernel.
`FrameSlider` needs none: all images are drawn beforehand and are part of the output.
"""

import base64
import hashlib
import html
import io
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from string import Template
from typing import Any

from risbook.errors import DataError
from risbook.figures.overlays import as_bytes

_TEMPLATE = Path(__file__).with_name("frame_slider.html")


class FrameSlider:
    """Images under one slider; make it the last line of a cell, which then displays it.

    In JupyterLab and Colab with a running kernel the control is an ipywidgets slider (only
    what versions 7 and 8 share); everywhere else the same output holds self-contained HTML.
    All frames also stand small below the slider. It obeys the arrow keys, and without JavaScript
    the image `start` is visible.

    Args:
        frames: matplotlib figures (closed afterwards), PIL images or arrays (H, W, 3).
        labels: one short line per frame, shown below it.
        title: what the slider changes, in a few words.
        alt: text that stands for the image for readers who do not see it.
        start: index of the frame that is shown first.
        width: largest width on the page, pixels.
        colours: size of the PNG's palette; 256 is visually lossless for the book's drawings.

    Raises:
        DataError: there are no frames, not one label per frame, or no frame `start`.
    """

    def __init__(
        self,
        *,
        frames: Iterable[Any],
        labels: Sequence[str],
        title: str,
        alt: str,
        start: int = 0,
        width: int = 560,
        colours: int = 256,
    ) -> None:
        self.frames = [encode_png(frame, colours) for frame in frames]
        self.labels = [str(label) for label in labels]
        self.title, self.alt, self.start, self.width = title, alt, start, width
        if not self.frames or len(self.frames) != len(self.labels):
            raise DataError(
                f"FrameSlider: {len(self.frames)} frames and {len(self.labels)} labels; "
                "give at least one frame and one label per frame."
            )
        if not 0 <= start < len(self.frames):
            raise DataError(
                f"FrameSlider: start is {start}, but the frames have the indices "
                f"0 to {len(self.frames) - 1}."
            )

    def __repr__(self) -> str:
        return f"FrameSlider({len(self.frames)} frames: {self.title})"

    def _repr_html_(self) -> str:
        coded = [base64.b64encode(frame).decode("ascii") for frame in self.frames]
        digest = hashlib.sha256("\n".join([self.title, *self.labels, *coded]).encode())
        page = Template(_TEMPLATE.read_text(encoding="utf-8").rstrip())
        return page.substitute(
            key=f"ris-{digest.hexdigest()[:12]}",  # from content, so that reruns do not differ
            title=html.escape(self.title),
            alt=html.escape(self.alt),
            width=int(self.width),
            first=coded[self.start],
            start=self.start,
            last=len(coded) - 1,
            label=html.escape(self.labels[self.start]),
            frames=json.dumps(coded),
            # "</script" would end the script element, and "<!--<script" swallow the page behind it.
            labels=json.dumps(self.labels).replace("<", "\\u003c"),
        )

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        bundle: dict[str, Any] = {"text/plain": repr(self), "text/html": self._repr_html_()}
        if view := self._widget():
            model = {"version_major": 2, "version_minor": 0, "model_id": view.model_id}
            bundle["application/vnd.jupyter.widget-view+json"] = model
        return bundle

    def _widget(self) -> Any:
        """Build the live control, or return None where nobody could use it."""
        ipywidgets = live_widgets()
        if ipywidgets is None:
            return None
        image = ipywidgets.Image(value=self.frames[self.start], format="png")
        image.layout.max_width = f"{self.width}px"
        caption = ipywidgets.Label(value=self.labels[self.start])
        slider = ipywidgets.IntSlider(
            value=self.start, min=0, max=len(self.frames) - 1, readout=False
        )

        def move(change: dict[str, Any]) -> None:
            image.value = self.frames[change["new"]]
            caption.value = self.labels[change["new"]]

        slider.observe(move, names="value")
        self._view = ipywidgets.VBox([ipywidgets.Label(self.title), image, slider, caption])
        return self._view


def live_widgets() -> Any:
    """The module ipywidgets where a kernel with it is alive, or None where nobody could use it."""
    if os.environ.get("RISBOOK_STATIC"):  # set by the command that writes the book's outputs
        return None
    try:
        import ipywidgets
        from IPython.core.getipython import get_ipython
    except ImportError:
        return None
    return ipywidgets if hasattr(get_ipython(), "kernel") else None


def encode_png(frame: Any, colours: int = 256) -> bytes:
    """Turn one frame into the bytes of a PNG without time stamps."""
    from PIL import Image

    image = frame
    if hasattr(frame, "savefig"):
        import matplotlib.pyplot as plt

        rendered = io.BytesIO()
        frame.savefig(rendered, format="png", facecolor="white")
        plt.close(frame)  # otherwise the notebook would show every frame a second time
        image = Image.open(rendered)
    elif not isinstance(frame, Image.Image):
        image = Image.fromarray(as_bytes(frame))
    # Median cut, the default, loses rare colours: both ends of a colour bar.
    small = image.convert("RGB").quantize(
        colours, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE
    )
    buffer = io.BytesIO()
    small.save(buffer, format="png", optimize=True)
    return buffer.getvalue()
