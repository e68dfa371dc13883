"""The tables of the book.

A column of our own runs is added as an `Ours` that names a suite of ``book/results``; rows take
part through their key ``ours``. A run that is not there yet shows as a dash.
"""

from risbook.ledger.cells import NONE
from risbook.ledger.tables import Filter, Ours, Reported, Row, Table, Tuned

RN50, RN101, VIT = "CLIP RN50", "CLIP RN101", "CLIP ViT-B/16"

_PLACES = (
    ("RefCOCO val", "refcoco", "val"),
    ("RefCOCO testA", "refcoco", "testA"),
    ("RefCOCO testB", "refcoco", "testB"),
    ("RefCOCO+ val", "refcoco+", "val"),
    ("RefCOCO+ testA", "refcoco+", "testA"),
    ("RefCOCO+ testB", "refcoco+", "testB"),
    ("G-Ref val-u", "refcocog", "val-u"),
    ("G-Ref test-u", "refcocog", "test-u"),
    ("G-Ref val-g", "refcocog", "val-g"),
)
# The ledger has 0.6 to 0.8 as well; a table that has to be scrolled hides our columns.
_PRECISIONS = tuple(
    Reported(f"Pr@{threshold}", "refcoco", "val", f"Pr@{threshold}") for threshold in ("0.5", "0.9")
)
_MIOU = Reported("mIoU", "refcoco", "val")

#: What our runs of the ETRIS tables are.
_SMALL = "Ours: small towers, the drawn set refscenes+ (no left or right), split val."


def _ours(suite: str, *measures: str) -> tuple[Ours, ...]:
    """Columns of a suite of our small runs: tuned parameters, mIoU, and more if asked for."""
    scores = [
        Ours(label=f"ours: {one}", suite=suite, dataset="refscenes+", split="val", measure=one)
        for one in ("mIoU", *measures)
    ]
    tuned = Ours(label="ours: tuned", suite=suite, measure="adapters", digits=0, per=1e3, unit="K")
    return (tuned, *scores)


#: ETRIS with CLIP RN101 in the words of its paper.
_PAPER: Filter = {"source": "etris", "backbone": RN101}


def _splits(metric: str) -> tuple[Reported, ...]:
    return tuple(Reported(label, name, split, metric) for label, name, split in _PLACES)


def _main(system: str, backbone: str, source: str) -> Row:
    return Row(
        words=(system, backbone),
        ledger={"system": system, "backbone": backbone, "source": source, "variant": ""},
        # The counts of both are in the ETRIS paper.
        tuned={"source": "etris"},
        others={"source": "rp-etris"},
    )


ETRIS_MAIN = Table(
    name="etris-main",
    title="ETRIS and CRIS, mIoU in percent",
    about="From Table 1 of the ETRIS paper and the README of CRIS.",
    heads=("Model", "Backbone"),
    columns=(
        Tuned(),
        *_splits("mIoU"),
        Reported("RefCOCO val, run again", "refcoco", "val", by="others"),
    ),
    rows=(
        _main("CRIS", RN50, "cris"),
        _main("CRIS", RN101, "cris"),
        _main("ETRIS", RN50, "etris"),
        _main("ETRIS", RN101, "etris"),
        _main("ETRIS", VIT, "etris"),
    ),
)


def _pet(system: str, ours: str = "") -> Row:
    return Row(words=(system,), ledger={"system": system, "variant": ""}, ours=ours)


ETRIS_PET = Table(
    name="etris-pet",
    title="Ways to tune, with CLIP RN101 on RefCOCO val, in percent",
    about=(
        f"From Tables 2 and 8 of the ETRIS paper. {_SMALL} Position tables (28,416 weights) learn "
        "in every row; only full tuning counts them."
    ),
    heads=("Method",),
    columns=(Tuned(), _MIOU, *_PRECISIONS, *_ours("etris-pet", "Pr@0.5")),
    ledger=_PAPER,
    rows=(
        _pet("Full tuning", "full"),
        _pet("Fixed backbone", "frozen"),
        _pet("Adapter", "houlsby"),
        Row(words=("Parallel adapter",), ours="parallel"),
        Row(words=("AdaptFormer",), ours="adaptformer"),
        _pet("Conv Adapter"),
        _pet("Compacter"),
        _pet("CoOp"),
        Row(words=("Prompts",), ours="prompts"),
        Row(words=("BitFit",), ours="bitfit"),
        Row(words=("LayerNorm",), ours="layer-norm"),
        _pet("LoRA", "lora"),
        _pet("ETRIS", "etris"),
        _pet("Adapter + ETRIS", "houlsby-etris"),
        _pet("Conv Adapter + ETRIS"),
    ),
)


ETRIS_RATES = Table(
    name="etris-rates",
    title="Four ways to tune at other learning rates, mIoU in percent",
    about=f"The paper has no such table. {_SMALL}",
    heads=("Method", "Peak of the learning rate"),
    columns=_ours("etris-rates"),
    rows=tuple(
        Row(words=(words, rate), ours=f"{key}-{rate}")
        for words, key, rates in (
            ("Fixed backbone", "frozen", ("1e-3", "2e-3", "4e-3", "8e-3")),
            ("Full tuning", "full", ("3e-4", "1e-3", "2e-3", "4e-3", "8e-3")),
            ("Parallel adapter", "parallel", ("1e-3", "2e-3", "4e-3", "8e-3")),
            ("ETRIS", "etris", ("3e-4", "1e-3", "2e-3", "4e-3", "8e-3")),
        )
        for rate in rates
    ),
)


def _variant(words: tuple[str, ...], variant: str, ours: str) -> Row:
    return Row(words=words, ledger={"system": "ETRIS", "variant": variant}, ours=ours)


ETRIS_BRIDGERS = Table(
    name="etris-bridgers",
    title="Number and position of Bridgers, with CLIP RN101 on RefCOCO val, mIoU in percent",
    about=f"From Table 4 of the ETRIS paper; n is the last stage of the encoders. {_SMALL}",
    heads=("Bridgers", "Stages that see fused features"),
    columns=(Tuned(), _MIOU, *_ours("etris-bridgers")),
    ledger=_PAPER,
    rows=(
        _variant(("1", "2 to n"), "Bridgers: 1, scope 2 to n", "stages-1"),
        _variant(("1", "n/2 to n"), "Bridgers: 1, scope n/2 to n", "stages-2"),
        _variant(("1", "n to n"), "Bridgers: 1, scope n to n", "stages-3"),
        _variant(("2", "2 to n"), "Bridgers: 2, scope 2 to n", "stages-12"),
        _variant(("2", "n/2 to n"), "Bridgers: 2, scope n/2 to n", "stages-23"),
        _variant(("3", "2 to n"), "", "stages-123"),
    ),
)

ETRIS_ZOOM = Table(
    name="etris-zoom",
    title="Kinds of Zoom Layer, with CLIP RN101 on RefCOCO val, in percent",
    about=f"From Tables 5 and 8 of the ETRIS paper. {_SMALL}",
    heads=("Zoom Layer",),
    columns=(Tuned(), _MIOU, *_PRECISIONS, *_ours("etris-zoom", "Pr@0.5")),
    ledger=_PAPER,
    rows=(
        _variant(("linear",), "zoom: linear", "linear"),
        _variant(
            ("convolution and interpolation",),
            "zoom: convolution and interpolation",
            "interpolate",
        ),
        _variant(("MLP",), "zoom: MLP", "mlp"),
        _variant(("convolution and transposed convolution",), "", "deconv"),
    ),
)

ETRIS_MODULES = Table(
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
    ledger={"system": "ETRIS", "source": "etris"},
    rows=(
        *(
            Row(
                words=(words,),
                ledger={"variant": words, "backbone": RN101},
                # Who ran it again without Bridgers does not say with which backbone.
                others={"backbone": ""},
                ours=key,
            )
            for words, key in (
                ("without hierarchical alignment", "no-neck"),
                ("without global alignment", "no-decoder"),
                ("without Bridger", "no-bridger"),
            )
        ),
        Row(words=("whole",), ledger={"variant": "", "backbone": RN101}, ours="all"),
    ),
)

ETRIS_WIDTH = Table(
    name="etris-width",
    title="Hidden width of the Bridger, with CLIP RN101 on RefCOCO val, mIoU in percent",
    about=f"From Table 7 of the ETRIS paper. {_SMALL}",
    heads=("Width",),
    columns=(Tuned(), _MIOU, *_ours("etris-width")),
    ledger=_PAPER,
    rows=tuple(
        _variant((str(width),), "" if width == 64 else f"width {width}", f"width-{width}")
        for width in (8, 16, 32, 64, 128)
    ),
)

ETRIS_LINK = Table(
    name="etris-paper-and-code",
    title="ETRIS as released, and one change at a time, mIoU in percent",
    about=f"The paper has no such table. {_SMALL}",
    heads=("Changed",),
    columns=_ours("etris-paper-and-code"),
    rows=(
        Row(words=("nothing: as released",), ours="released"),
        Row(words=("the link hands on outputs, as the paper draws it",), ours="link-outputs"),
        Row(words=("no link",), ours="link-none"),
        Row(words=("full interactors, as the paper has them",), ours="interactor-full"),
        Row(words=("the decoder reads the sentence, as in the paper",), ours="decoder-sentence"),
        Row(words=("Bridgers look past padding",), ours="padding-masked"),
        Row(words=("position tables frozen",), ours="tables-frozen"),
    ),
)


def _method(
    system: str,
    backbone: str,
    source: str | tuple[str, ...],
    training: str = "single",
    **more: str,
) -> tuple[str, Row]:
    ledger: Filter = {"system": system, "backbone": backbone, "source": source}
    ledger = {**ledger, "variant": more.pop("variant", ""), "training": training}
    return training, Row(words=(system, backbone or NONE), ledger=ledger, tuned=more)


def _with_training(*rows: tuple[str, Row]) -> tuple[Row, ...]:
    told = {"single": "one set", "mixed": "several", "": NONE}
    return tuple(
        Row(words=(*row.words, told[training]), ledger=row.ledger, tuned=row.tuned)
        for training, row in rows
    )


_DINO_B, _DINO_L = "DINOv2-B/14 + CLIP text", "DINOv2-L/14 + CLIP text"

PET_LANDSCAPE = Table(
    name="pet-landscape",
    title="Parameter-efficient tuning for referring segmentation, mIoU in percent",
    about="Models trained on several sets at once are a class of their own. MiCA's authors have "
    "published no score of a split.",
    heads=("Method", "Backbone", "Trained on"),
    columns=(
        Tuned(),
        *_splits("mIoU"),
        Reported("mean without val-g", "all", "mean-8"),
    ),
    rows=_with_training(
        _method("ETRIS", RN50, "etris"),
        _method("ETRIS", RN101, "etris"),
        _method("ETRIS", VIT, "etris"),
        _method("BarLeRIa", VIT, "survey"),
        _method("RISCLIP-B", "CLIP-B", "sera"),
        _method("Prompt-RIS", "CLIP ViT-B/16 + SAM-B", "prompt-ris", "mixed"),
        _method("DETRIS-B", _DINO_B, "detris"),
        _method("DETRIS-L", _DINO_L, "detris"),
        _method("DETRIS-L", _DINO_L, "detris", "mixed"),
        # The G-Ref (umd) model reads more words and has a few more parameters.
        _method("TALENT", _DINO_B, "talent", dataset="refcoco"),
        _method("SERA", "DINOv2 + CLIP text", "sera"),
        _method("WIMFRIS-L", _DINO_L, "wimfris"),
        _method("CoLA", "DINOv2-B/14 + BERT", "cola", ""),
        _method("MiCA-B", _DINO_B, "mica", ""),
    ),
)

_LANGUAGE_MODEL = "multimodal language model"

RIS_LANDSCAPE = Table(
    name="ris-landscape",
    title="Referring segmentation at large, oIoU in percent",
    about="Fully tuned models, models of this book, and foundation models, in one metric.",
    heads=("Model", "Backbone", "Trained on"),
    columns=_splits("oIoU")[:-1],
    rows=_with_training(
        _method("CRIS", RN101, "safire"),
        _method("LAVT", "", "safire"),
        _method("VLT", "Swin-B", "safire"),
        # Its RefCOCO val, of which sources disagree, was read in MagNet's README.
        _method("ReLA", "", ("safire", "magnet")),
        _method("DMMI", "", "safire"),
        _method("CGFormer", "", "safire"),
        _method("MagNet", "", "safire"),
        _method("SaFiRe", "", "safire"),
        _method("RISCLIP-B", "CLIP-B", "safire"),
        _method("DETRIS-B", _DINO_B, "detris"),
        _method("DETRIS-L", _DINO_L, "detris"),
        _method("DETRIS-L", _DINO_L, "detris", "mixed"),
        _method("Prompt-RIS", "CLIP ViT-B/16 + SAM-B", "prompt-ris", "mixed"),
        _method("PolyFormer-B", "Swin-B + BERT", "polyformer", "mixed"),
        _method("PolyFormer-L", "Swin-L + BERT", "polyformer", "mixed"),
        _method("DeRIS-B", "BEiT-3-B + Swin-S", "deris", "mixed"),
        _method("DeRIS-L", "BEiT-3-L + Swin-B", "deris", "mixed"),
        _method("LISA-7B", _LANGUAGE_MODEL, "mlcd", "mixed"),
        _method("GLaMM", _LANGUAGE_MODEL, "mlcd", "mixed"),
        _method("EVF-SAM", "BEiT-3-L + SAM-H", "evf-sam", "mixed"),
        _method("MLCD-seg-7B", _LANGUAGE_MODEL, "mlcd", "mixed"),
    ),
)

TABLES = (
    ETRIS_MAIN,
    ETRIS_PET,
    ETRIS_RATES,
    ETRIS_BRIDGERS,
    ETRIS_ZOOM,
    ETRIS_MODULES,
    ETRIS_WIDTH,
    ETRIS_LINK,
    PET_LANDSCAPE,
    RIS_LANDSCAPE,
)
