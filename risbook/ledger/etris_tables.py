"""The tables of ETRIS: its paper's numbers, and beside them our small runs of the same rows.

A column of our own runs is an `Ours` that names a suite of ``book/results``; rows take part through
their key ``ours``. A run that is not there yet shows as a dash.
"""

from dataclasses import replace

from risbook.ledger.selection import Filter
from risbook.ledger.tables import RN50, RN101, VIT, Ours, Reported, Row, Table, Tuned, per_split

_MIOU = Reported("mIoU", "refcoco", "val")
# The ledger has 0.6 to 0.8 as well; a table that has to be scrolled hides our columns.
_PRECISIONS = tuple(
    Reported(f"Pr@{threshold}", "refcoco", "val", f"Pr@{threshold}") for threshold in ("0.5", "0.9")
)

#: ETRIS with CLIP RN101 in the words of its paper.
_PAPER: Filter = {"source": "etris", "backbone": RN101}

#: What our runs of these tables are.
_SMALL = "Ours: small towers, the drawn set refscenes+ (no left or right), split val."


def _ours(suite: str, *measures: str) -> tuple[Ours, ...]:
    """Columns of a suite of our small runs: tuned parameters, mIoU, and further measures."""
    scores = [
        Ours(label=f"ours: {name}", suite=suite, dataset="refscenes+", split="val", measure=name)
        for name in ("mIoU", *measures)
    ]
    tuned = Ours(label="ours: tuned", suite=suite, measure="adapters", digits=0, per=1e3, unit="K")
    return (tuned, *scores)


def _variant(ours: str, variant: str, *words: str) -> Row:
    """A row of a variant of ETRIS; the empty variant is ETRIS itself."""
    return Row(words=words, ledger={"system": "ETRIS", "variant": variant}, ours=ours)


_MAIN = Table(
    name="etris-main",
    title="ETRIS and CRIS, mIoU in percent",
    about="From Table 1 of the ETRIS paper and the README of CRIS.",
    heads=("Model", "Backbone"),
    columns=(
        Tuned(),
        *per_split("mIoU"),
        Reported("RefCOCO val, run again", "refcoco", "val", by="others"),
    ),
    ledger={"variant": ""},
    rows=tuple(
        Row(
            words=(system, backbone),
            ledger={"system": system, "backbone": backbone, "source": system.lower()},
            # The counts of both are in the ETRIS paper.
            tuned={"source": "etris"},
            others={"source": "rp-etris"},
        )
        for system, backbone in (
            ("CRIS", RN50),
            ("CRIS", RN101),
            ("ETRIS", RN50),
            ("ETRIS", RN101),
            ("ETRIS", VIT),
        )
    ),
)

#: Methods by the name in the paper, if it has them, with the keys of our runs.
_METHODS = {
    "Full tuning": "full",
    "Fixed backbone": "frozen",
    "Adapter": "houlsby",
    "Parallel adapter": "parallel",
    "AdaptFormer": "adaptformer",
    "Conv Adapter": "",
    "Compacter": "",
    "CoOp": "",
    "Prompts": "prompts",
    "BitFit": "bitfit",
    "LayerNorm": "layer-norm",
    "LoRA": "lora",
    "ETRIS": "etris",
    "Adapter + ETRIS": "houlsby-etris",
    "Conv Adapter + ETRIS": "",
}

_PET = Table(
    name="etris-pet",
    title="Ways to tune, with CLIP RN101 on RefCOCO val, in percent",
    about=(
        f"From Tables 2 and 8 of the ETRIS paper. {_SMALL} Position embeddings (28,416 weights) "
        "are tuned in every row; only full tuning counts them."
    ),
    heads=("Method",),
    columns=(Tuned(), _MIOU, *_PRECISIONS, *_ours("etris-pet", "Pr@0.5")),
    ledger={**_PAPER, "variant": ""},
    rows=tuple(
        Row(words=(name,), ledger={"system": name}, ours=key) for name, key in _METHODS.items()
    ),
)

_RATES = Table(
    name="etris-rates",
    title="Four ways to tune at other learning rates, mIoU in percent",
    about=f"The paper has no such table. {_SMALL}",
    heads=("Method", "Peak of the learning rate"),
    columns=_ours("etris-rates"),
    rows=tuple(
        Row(words=(name, rate), ours=f"{_METHODS[name]}-{rate}")
        for name, rates in {
            "Fixed backbone": ("1e-3", "2e-3", "4e-3", "8e-3"),
            "Full tuning": ("3e-4", "1e-3", "2e-3", "4e-3", "8e-3"),
            "Parallel adapter": ("1e-3", "2e-3", "4e-3", "8e-3"),
            "ETRIS": ("3e-4", "1e-3", "2e-3", "4e-3", "8e-3"),
        }.items()
        for rate in rates
    ),
)

_BRIDGERS = Table(
    name="etris-bridgers",
    title="Number and position of Bridgers, with CLIP RN101 on RefCOCO val, mIoU in percent",
    about="From Table 4 of the ETRIS paper; n is the last stage of the encoders.",
    heads=("Bridgers", "Stages with fused features"),
    columns=(Tuned(), _MIOU),
    ledger=_PAPER,
    rows=(
        _variant("", "Bridgers: 1, scope 2 to n", "1", "2 to n"),
        _variant("", "Bridgers: 1, scope n/2 to n", "1", "n/2 to n"),
        _variant("", "Bridgers: 1, scope n to n", "1", "n to n"),
        _variant("", "Bridgers: 2, scope 2 to n", "2", "2 to n"),
        _variant("", "Bridgers: 2, scope n/2 to n", "2", "n/2 to n"),
        _variant("", "", "3", "2 to n"),
    ),
)

#: In the words of the paper, which the ledger repeats.
_INTERPOLATE = "convolution and interpolation"

_ZOOM = Table(
    name="etris-zoom",
    title="Kinds of Zoom Layer, with CLIP RN101 on RefCOCO val, in percent",
    about=f"From Tables 5 and 8 of the ETRIS paper. {_SMALL}",
    heads=("Zoom Layer",),
    columns=(Tuned(), _MIOU, *_PRECISIONS, *_ours("etris-zoom", "Pr@0.5")),
    ledger=_PAPER,
    rows=(
        _variant("linear", "zoom: linear", "linear"),
        _variant("interpolate", f"zoom: {_INTERPOLATE}", _INTERPOLATE),
        _variant("mlp", "zoom: MLP", "MLP"),
        _variant("deconv", "", "convolution and transposed convolution"),
    ),
)


def _without(ours: str, variant: str) -> Row:
    """A row of ETRIS without a module; who ran it again does not say with which backbone."""
    return replace(_variant(ours, variant, variant), others={"backbone": ""})


_MODULES = Table(
    name="etris-modules",
    title="ETRIS without one of its modules, with CLIP RN101 on RefCOCO val, in percent",
    about=f"From Tables 6 and 8 of the ETRIS paper. {_SMALL}",
    heads=("Model",),
    columns=(
        _MIOU,
        *_PRECISIONS,
        Reported("mIoU, run again", "refcoco", "val", by="others"),
        *_ours("etris-modules", "Pr@0.5"),
    ),
    ledger=_PAPER,
    rows=(
        _without("no-neck", "without hierarchical alignment"),
        _without("no-decoder", "without global alignment"),
        _without("no-bridger", "without Bridger"),
        _variant("all", "", "whole"),
    ),
)

_WIDTH = Table(
    name="etris-width",
    title="Hidden width of the Bridger, with CLIP RN101 on RefCOCO val, mIoU in percent",
    about="From Table 7 of the ETRIS paper.",
    heads=("Width",),
    columns=(Tuned(), _MIOU),
    ledger=_PAPER,
    rows=tuple(
        _variant("", "" if width == 64 else f"width {width}", str(width))
        for width in (8, 16, 32, 64, 128)
    ),
)

ETRIS_TABLES = (_MAIN, _PET, _RATES, _BRIDGERS, _ZOOM, _MODULES, _WIDTH)
