"""Published accuracy against tuned parameters, as an SVG whose marks tell their numbers.

A mark shows its numbers in an empty band of the drawing while the mouse is over it or while it has
the keyboard's focus, without any script. Text and axes take the colour of the page.
"""

import math
from collections.abc import Iterator, Mapping
from html import escape
from typing import NamedTuple

from risbook.figures.palette import BLUE, GREEN, ORANGE, PURPLE, VERMILION
from risbook.ledger import Published, published
from risbook.ledger.markdown import END

#: The name of the figure where a page shows it.
NAME = "accuracy-figure"

#: Tuned parameters inside the towers of systems whose authors print a share only: counted by
#: `risbook params`, see `tests/figures/test_tuned_parameters.py`.
COUNTED: Mapping[str, int] = {"DETRIS-B": 2_715_696, "DETRIS-L": 3_110_448}

#: Image towers by the beginning of the ledger's backbone, with colour and shape.
_TOWERS: Mapping[str, tuple[str, str]] = {
    "CLIP RN50": (ORANGE, "M0-6A6 6 0 1 0 .1-6Z"),
    "CLIP RN101": (BLUE, "M-5.5-5.5h11v11h-11Z"),
    "CLIP ViT-B/16": (GREEN, "M0-7L6.5 5h-13Z"),
    "DINOv2-B/14": (VERMILION, "M0-7.5L7 0 0 7.5-7 0Z"),
    "DINOv2-L/14": (PURPLE, "M0 7L6.5-5h-13Z"),
}

#: Where the label of a mark stands, if not on the right: place of the text, dx, dy.
_LABELS: Mapping[tuple[str, str], tuple[str, int, int]] = {
    ("ETRIS", "CLIP RN50"): ("start", 8, 12),
    ("ETRIS", "CLIP RN101"): ("end", -10, 1),
    ("ETRIS", "CLIP ViT-B/16"): ("end", -10, 6),
    ("BarLeRIa", "CLIP ViT-B/16"): ("end", -10, 1),
    ("Fixed backbone", "CLIP RN101"): ("start", -8, -12),
    ("Conv Adapter", "CLIP RN101"): ("middle", 0, 21),
    ("Adapter", "CLIP RN101"): ("start", 10, 10),
    ("Conv Adapter + ETRIS", "CLIP RN101"): ("start", 10, -1),
    ("Adapter + ETRIS", "CLIP RN101"): ("start", 10, 8),
    ("CRIS", "CLIP RN50"): ("middle", 0, 20),
    ("CRIS", "CLIP RN101"): ("end", -10, 5),
    ("Full tuning", "CLIP RN101"): ("middle", -4, -11),
    ("TALENT", "DINOv2-B/14 + CLIP text"): ("end", -11, 2),
}

_WIDTH, _HEIGHT = 760, 484
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 742, 16, 372
_LOW, _HIGH = 66, 79  # percent
_ZERO = 96  # where no tuned parameter is drawn
_HALF_TIP = 175  # half the width of the numbers of a mark
_TICKS = {1e4: "10K", 1e5: "100K", 1e6: "1M", 1e7: "10M", 1e8: "100M"}

_STYLE = (
    ".ris-point{cursor:default}.ris-tip{visibility:hidden;text-anchor:middle}"
    ".ris-tip,.ris-hint{paint-order:stroke;stroke-width:5px;"
    "stroke:var(--pst-color-background,canvas)}"
    ".ris-point:hover .ris-tip,.ris-point:focus .ris-tip{visibility:visible}"
    ".ris-marks:has(.ris-point:hover,.ris-point:focus)~.ris-hint{visibility:hidden}"
    ".ris-marks:has(.ris-point:hover) .ris-point:focus:not(:hover) .ris-tip{visibility:hidden}"
    ".ris-point:focus{outline:none}"
    ".ris-point:hover .ris-ring,.ris-point:focus .ris-ring{stroke-opacity:1}"
)


class _Mark(NamedTuple):
    line: Published
    parameters: float
    counted: bool  # by us, not by the authors

    @property
    def tower(self) -> str:
        return self.line.backbone.partition(" + ")[0]


def render_figure() -> str:
    """The figure as HTML between the two comments of rendered results."""
    marks = sorted(_marks(), key=lambda mark: (mark.parameters, mark.line.value))
    label = (
        f"Scatter plot of {len(marks)} published models: mIoU on RefCOCO val in percent against "
        "the number of tuned parameters in the towers, on a logarithmic scale. "
        "Models with DINOv2 reach 76 to 78 percent with two to three million tuned parameters, "
        "models with CLIP 67 to 73 percent with none to 121 million."
    )
    svg = [
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="group" aria-label="{escape(label)}" '
        'font-family="sans-serif" font-size="13" fill="currentColor">',
        f"<style>{_STYLE}</style>",
        *_axes(),
        '<g class="ris-marks">',
        *map(_draw, marks),
        "</g>",
        '<text class="ris-hint" x="80" y="152" opacity="0.8">Point at a mark, or go from mark to '
        "mark with the Tab key, to read its numbers.</text>",
        *_legend(),
        "</svg>",
    ]
    return "\n".join(
        [
            f"<!-- risbook results: {NAME} -->",
            "",
            '<div class="ris-diagram" style="overflow-x:auto;color:inherit">',
            f'<div style="min-width:680px;max-width:{_WIDTH}px;margin:0 auto">',
            *svg,
            "</div></div>",
            "",
            END,
        ]
    )


def _marks() -> Iterator[_Mark]:
    """Models trained on one set, with a score on RefCOCO val and a count of tuned parameters."""
    lines = published(metric="mIoU", dataset="refcoco", split="val", training="single", variant="")
    for line in lines:
        if line.tuned and line.evidence != "re-run":
            scale = {"K": 1e3, "M": 1e6}.get(line.tuned[-1], 1)
            yield _Mark(line, float(line.tuned.rstrip("KM")) * scale, False)
        elif line.system in COUNTED:
            yield _Mark(line, COUNTED[line.system], True)


def _x(parameters: float) -> float:
    if not parameters:
        return _ZERO
    return 150 + (_RIGHT - 172) * (math.log10(parameters) - 3.4) / (8.2 - 3.4)


def _y(score: float) -> float:
    return _BOTTOM - (_BOTTOM - _TOP) * (score - _LOW) / (_HIGH - _LOW)


def _axes() -> Iterator[str]:
    grid = 'stroke="currentColor" stroke-opacity="0.18"'
    for score in range(_LOW, _HIGH + 1, 2):
        y = f"{_y(score):.1f}"
        yield f'<path d="M{_LEFT} {y}H{_RIGHT}" {grid}/>'
        yield f'<text x="{_LEFT - 8}" y="{y}" dy="4" text-anchor="end">{score}</text>'
    for parameters, text in {0: "0", **_TICKS}.items():
        x = f"{_x(parameters):.1f}"
        yield f'<path d="M{x} {_BOTTOM}v6" stroke="currentColor"/>'
        yield f'<text x="{x}" y="{_BOTTOM + 20}" text-anchor="middle">{text}</text>'
    yield f'<path d="M{_LEFT} {_BOTTOM}H{_RIGHT}" stroke="currentColor"/>'
    # The scale is logarithmic, and 0 has no place on it.
    yield f'<path d="M116 {_BOTTOM + 6}l5-12m3 12l5-12" stroke="currentColor"/>'
    middle = (_LEFT + _RIGHT) / 2
    yield (
        f'<text x="{middle}" y="{_BOTTOM + 40}" text-anchor="middle">tuned parameters in the '
        "towers and between them (logarithmic)</text>"
    )
    middle = (_TOP + _BOTTOM) / 2
    yield (
        f'<text transform="translate(18 {middle})rotate(-90)" text-anchor="middle">mIoU on '
        "RefCOCO val, %</text>"
    )


def _draw(mark: _Mark) -> str:
    line = mark.line
    colour, shape = _TOWERS[mark.tower]
    second_hand = line.evidence == "second-hand"
    x, y = round(_x(mark.parameters), 1), round(_y(line.value), 1)
    anchor, dx, dy = _LABELS.get((line.system, line.backbone), ("start", 11, 5))
    name = f"{line.system}, {line.backbone}"
    count = f"{mark.parameters:,.0f}" if mark.counted else line.tuned
    by = "counted by us" if mark.counted else "as printed"
    texts = [
        name,
        f"mIoU on RefCOCO val {line.printed} %; tuned {count} ({by})",
        f"{'second-hand, read in' if second_hand else 'reported by the authors:'} "
        f"{line.source.title}, {line.place}",
    ]
    # Between 73 and 75 % there are no marks: the numbers stand there, near the mark on phones, too.
    center = min(max(x, _LEFT + _HALF_TIP), _RIGHT - _HALF_TIP)
    tip = "".join(
        f'<text x="{center:.0f}" y="{y_text}" font-weight="{weight}">{escape(text)}</text>'
        for y_text, weight, text in zip(
            (133, 152, 171), ("bold", "normal", "normal"), texts, strict=True
        )
    )
    fill = "none" if second_hand else colour
    ring = '<circle r="12" fill="none" stroke="currentColor" stroke-opacity="0" class="ris-ring"/>'
    dot = '<circle r="2" fill="#fff"/>' if mark.counted else ""
    return (
        f'<g class="ris-point" tabindex="0" role="img" aria-label="{escape("; ".join(texts))}">'
        f'<g transform="translate({x} {y})"><circle r="12" fill="transparent"/>{ring}'
        f'<path d="{shape}" fill="{fill}" stroke="{colour}" stroke-width="2"/>{dot}'
        f'<text x="{dx}" y="{dy}" text-anchor="{anchor}">{escape(line.system)}</text></g>'
        f'<g class="ris-tip" aria-hidden="true">{tip}</g></g>'
    )


def _legend() -> Iterator[str]:
    y, x = _HEIGHT - 50, _LEFT
    for tower, (colour, shape) in _TOWERS.items():
        yield (
            f'<g transform="translate({x} {y})"><path d="{shape}" fill="{colour}" '
            f'stroke="{colour}" stroke-width="2"/><text x="12" y="5">{tower}</text></g>'
        )
        x += 42 + 7 * len(tower)
    square = _TOWERS["CLIP RN101"][1]
    yield (
        f'<g transform="translate({_LEFT} {y + 22})"><path d="{square}" fill="none" '
        'stroke="currentColor" stroke-width="2"/><text x="12" y="5">hollow: second-hand</text></g>'
    )
    yield (
        f'<g transform="translate({_LEFT + 190} {y + 22})"><path d="{square}"/>'
        '<circle r="2" fill="#fff"/><text x="12" y="5">white dot: parameters counted by us, '
        "the authors print a share</text></g>"
    )
