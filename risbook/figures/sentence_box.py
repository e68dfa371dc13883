"""A text field for sentences of one's own, with the mask that a model predicts for each."""

import base64
import hashlib
import html
from typing import TYPE_CHECKING, Any

from risbook.errors import RisbookError
from risbook.figures.interactive import encode_png, live_widgets
from risbook.figures.overlays import as_bytes
from risbook.figures.paint import paint_mask, paint_outline

if TYPE_CHECKING:
    from risbook.systems import System


class SentenceBox:
    """A sentence, an image and the predicted mask; make it the last line of a cell.

    In JupyterLab and Colab with a running kernel the sentence is a text field: Enter predicts the
    mask of a new sentence. Everywhere else the same output holds the mask of the first sentence.

    Args:
        model: has ``predict(image, sentence)``, which returns a mask (H, W).
        image: array (H, W, 3) or PIL image.
        sentence: the first sentence.
        width: largest width on the page, pixels.
        truth: mask (H, W) of the first sentence; its outline is drawn for this sentence alone.
    """

    def __init__(
        self, model: "System", image: Any, sentence: str, *, width: int = 480, truth: Any = None
    ) -> None:
        self.model = model
        self.image = as_bytes(image)
        self.sentence = sentence
        self.width = width
        self.truth = truth
        self._first = self.predict(sentence)

    def predict(self, sentence: str) -> bytes:
        """The image with the predicted mask of a sentence, as the bytes of a PNG."""
        mask = self.model.predict(self.image, sentence)
        edge = 1 + self.image.shape[1] // 300
        painted = paint_mask(self.image, mask, edge=edge)
        if self.truth is not None and sentence == self.sentence:
            painted = paint_outline(painted, self.truth, width=2 * edge)
        return encode_png(painted)

    def __repr__(self) -> str:
        return f"SentenceBox({self.sentence!r})"

    def _repr_html_(self) -> str:
        coded = base64.b64encode(self._first).decode("ascii")
        key = hashlib.sha256(coded.encode()).hexdigest()[:12]  # so that reruns do not differ
        sentence = html.escape(self.sentence)
        return (
            f'<figure class="ris-sentence" id="ris-{key}" '
            f'style="max-width:{self.width}px;margin:.6em 0;color:inherit">'
            f'<img src="data:image/png;base64,{coded}" style="display:block;width:100%;height:auto"'
            f' alt="the image with the mask predicted for: {sentence}">'
            f"<figcaption>{sentence}</figcaption></figure>"
        )

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        bundle: dict[str, Any] = {"text/plain": repr(self), "text/html": self._repr_html_()}
        if view := self._widget():
            model = {"version_major": 2, "version_minor": 0, "model_id": view.model_id}
            bundle["application/vnd.jupyter.widget-view+json"] = model
        return bundle

    def _widget(self) -> Any:
        """Build the text field, or return None where nobody could use it."""
        ipywidgets = live_widgets()
        if ipywidgets is None:
            return None
        field = ipywidgets.Text(
            value=self.sentence, description="sentence", continuous_update=False
        )
        field.layout.width = f"{self.width}px"
        image = ipywidgets.Image(value=self._first, format="png")
        image.layout.width = f"{self.width}px"
        message = ipywidgets.Label(value="")

        def change(event: dict[str, Any]) -> None:
            # An error in a callback is shown nowhere; the message stands below the image.
            try:
                image.value = self.predict(event["new"])
                message.value = ""
            except RisbookError as error:
                message.value = str(error)

        field.observe(change, names="value")
        self._view = ipywidgets.VBox([field, image, message])
        return self._view
