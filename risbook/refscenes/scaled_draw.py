"""Drawing in the coordinates of a smaller image."""

from collections.abc import Sequence

from PIL import Image, ImageDraw

from risbook.refscenes.colours import RGB

Corners = tuple[float, float, float, float]


class ScaledDraw:
    """Draws on an image whose sides are `scale` times those that coordinates are meant for.

    Only the shapes that backgrounds use. With a scale of 1 every shape is Pillow's own.

    Args:
        image: the image to draw on, RGB.
        scale: a positive int.
    """

    def __init__(self, image: Image.Image, scale: int) -> None:
        self._draw = ImageDraw.Draw(image)
        self._scale = scale

    def _points(self, points: Sequence[Sequence[float]]) -> list[tuple[float, float]]:
        return [(self._scale * x, self._scale * y) for x, y in points]

    def _corners(self, box: Corners) -> Corners:
        """Corners for Pillow, which counts the last row and column as part of a box."""
        x0, y0, x1, y1 = box
        scale, more = self._scale, self._scale - 1
        return scale * x0, scale * y0, scale * x1 + more, scale * y1 + more

    def polygon(self, points: Sequence[Sequence[float]], *, fill: RGB) -> None:
        """Fill a polygon."""
        self._draw.polygon(self._points(points), fill=fill)

    def line(self, points: Sequence[Sequence[float]], *, fill: RGB, width: int = 1) -> None:
        """Draw lines from point to point; wide ones get round joints on larger images."""
        joint = "curve" if self._scale > 1 else None
        self._draw.line(self._points(points), fill=fill, width=self._scale * width, joint=joint)

    def rectangle(self, box: Corners, *, fill: RGB, outline: RGB | None = None) -> None:
        """Fill a rectangle."""
        width = self._scale if outline else 1
        self._draw.rectangle(self._corners(box), fill=fill, outline=outline, width=width)

    def ellipse(self, box: Corners, *, fill: RGB) -> None:
        """Fill an ellipse."""
        self._draw.ellipse(self._corners(box), fill=fill)

    def chord(self, box: Corners, start: float, end: float, *, fill: RGB) -> None:
        """Fill a part of an ellipse; angles in degrees, clockwise from the right."""
        self._draw.chord(self._corners(box), start, end, fill=fill)
