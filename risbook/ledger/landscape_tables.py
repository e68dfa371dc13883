"""The tables that place this book's models among others, by published numbers alone."""

from risbook.ledger.cells import NONE
from risbook.ledger.tables import RN50, RN101, VIT, Reported, Row, Table, Tuned, per_split

_DINO_B, _DINO_L = "DINOv2-B/14 + CLIP text", "DINOv2-L/14 + CLIP text"
_LANGUAGE_MODEL = "multimodal language model"

_TRAINED_ON = {"single": "one set", "mixed": "several", "": NONE}


def _method(
    system: str,
    backbone: str,
    source: str | tuple[str, ...],
    training: str = "single",
    **tuned: str,
) -> Row:
    return Row(
        words=(system, backbone or NONE, _TRAINED_ON[training]),
        ledger={"system": system, "backbone": backbone, "source": source, "training": training},
        tuned=tuned,
    )


_TUNING = Table(
    name="pet-landscape",
    title="Parameter-efficient tuning for referring segmentation, mIoU in percent",
    about="Models trained on several sets at once are a class of their own. MiCA's authors have "
    "published no score of a split.",
    heads=("Method", "Backbone", "Trained on"),
    columns=(Tuned(), *per_split("mIoU"), Reported("mean without val-g", "all", "mean-8")),
    ledger={"variant": ""},
    rows=(
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

_MODELS = Table(
    name="ris-landscape",
    title="Referring segmentation at large, oIoU in percent",
    about="Fully tuned models, models of this book, and foundation models, in one metric.",
    heads=("Model", "Backbone", "Trained on"),
    columns=per_split("oIoU")[:-1],
    ledger={"variant": ""},
    rows=(
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

LANDSCAPE_TABLES = (_TUNING, _MODELS)
