"""The whole ledger as wide tables: each published number stands in exactly one of them.

A row is a model as one source reports it. Metrics never share a table, models that were trained on
several sets have tables of their own, and so do runs of released code by others.
"""

from collections.abc import Callable, Iterable, Mapping

from risbook.ledger.cells import NONE
from risbook.ledger.published import METRICS, OF_MODELS, SPLITS, Published, published
from risbook.ledger.tables import DATASET_TITLES, Column, Reported, Row, Table, Tuned, per_split

#: What stands in the column "Evidence".
EVIDENCE_WORDS: Mapping[str, str] = {
    "paper": "authors (paper)",
    "code": "authors (code)",
    "second-hand": "second-hand",
    "re-run": "run again by others",
}
TRAINING_WORDS: Mapping[str, str] = {"single": "one set", "mixed": "several sets", "": "not known"}

_PRECISIONS = tuple(metric for metric in METRICS if metric.startswith("Pr@"))

#: Fields whose values distinguish the rows of a table.
_MODEL = ("system", "variant", "backbone", "training", "source", "evidence")


def _rows(lines: Iterable[Published], extra: str) -> tuple[Row, ...]:
    """A row per model and source, in the order of the ledger; with "Split", per split as well."""
    fields = (*_MODEL, "dataset", "split") if extra == "Split" else _MODEL
    groups: dict[tuple[str, ...], list[Published]] = {}
    for line in lines:
        groups.setdefault(tuple(str(getattr(line, name)) for name in fields), []).append(line)
    return tuple(_row(dict(zip(fields, key, strict=True)), groups[key], extra) for key in groups)


def _row(values: Mapping[str, str], lines: list[Published], extra: str) -> Row:
    line = lines[0]
    extras = {
        "": (),
        "Split": (f"{DATASET_TITLES.get(line.dataset, '')} {line.split}",),
        "Trained on": (TRAINING_WORDS[line.training],),
    }
    name = ", ".join(filter(None, (line.system, line.variant)))
    words = (name, line.backbone or NONE, *extras[extra], EVIDENCE_WORDS[line.evidence])
    # A model with two counts was counted on each set; the count of RefCOCO stands for it.
    several_counts = len({entry.tuned for entry in lines}) > 1
    return Row(
        words=words,
        ledger={name: value for name, value in values.items() if name != "evidence"},
        tuned={"dataset": "refcoco"} if several_counts else {},
        others={"source": line.source.key},
    )


def _table(
    name: str,
    title: str,
    about: str,
    columns: tuple[Column, ...],
    belongs: Callable[[Published], bool],
    *,
    extra: str = "",
) -> Table:
    """A table of all lines that belong to it; `extra` is a further column of words."""
    heads = ("System", "Backbone", *filter(None, (extra,)), "Evidence")
    rows = _rows(filter(belongs, published()), extra)
    return Table(name=name, title=title, about=about, heads=heads, columns=columns, rows=rows)


def _columns(metric: str, *, means: bool = True) -> tuple[Column, ...]:
    """A column per split, and the means as the sources print them."""
    printed = tuple(
        Reported(f"mean of {count}", "all", f"mean-{count}", metric) for count in (8, 9)
    )
    return (Tuned(), *per_split(metric), *(printed if means else ()))


def _only_val(line: Published) -> bool:
    """Whether the ledger has this model, from this source, on RefCOCO val alone."""
    same = {name: str(getattr(line, name)) for name in (*_MODEL, "metric")}
    return {(other.dataset, other.split) for other in published(**same)} == {("refcoco", "val")}


def _is(line: Published, metric: str, *, mixed: bool = False) -> bool:
    kind = line.training != "single" if mixed else line.training == "single"
    return line.metric == metric and kind and line.evidence != "re-run"


WHOLE_LEDGER = (
    _table(
        "miou",
        "mIoU in percent, trained on one set",
        "A model of its own for each of the three sets, as far as the sources say.",
        _columns("mIoU"),
        lambda line: _is(line, "mIoU") and not _only_val(line),
    ),
    _table(
        "miou-mixed",
        "mIoU in percent, trained on several sets, or on sets that are not known",
        "Some of these training sets contain images of the test splits, see the notes below.",
        _columns("mIoU"),
        lambda line: _is(line, "mIoU", mixed=True),
        extra="Trained on",
    ),
    _table(
        "miou-val",
        "mIoU in percent, models reported on RefCOCO val alone",
        "Methods of tuning and variants of ETRIS.",
        (Tuned(), Reported("RefCOCO val", "refcoco", "val")),
        lambda line: _is(line, "mIoU") and _only_val(line),
    ),
    _table(
        "miou-again",
        "mIoU in percent, released code run again by others",
        "",
        tuple(Reported(f"RefCOCO {s}", "refcoco", s, by="others") for s in SPLITS["refcoco"]),
        lambda line: line.evidence == "re-run",
    ),
    _table(
        "oiou",
        "oIoU in percent, trained on one set",
        "A model of its own for each of the three sets, as far as the sources say.",
        _columns("oIoU")[1:],
        lambda line: _is(line, "oIoU"),
    ),
    _table(
        "oiou-mixed",
        "oIoU in percent, trained on several sets",
        "",
        _columns("oIoU")[1:],
        lambda line: _is(line, "oIoU", mixed=True),
        extra="Trained on",
    ),
    _table(
        "iou-unknown",
        "IoU in percent, whether mIoU or oIoU is not known",
        "These numbers cannot be compared with any other table.",
        _columns("IoU?", means=False),
        lambda line: line.metric == "IoU?",
    ),
    _table(
        "precision",
        "Pr@X in percent, the share of expressions with an IoU above X",
        "",
        (Tuned(), *(Reported(metric, "", "", metric) for metric in _PRECISIONS)),
        lambda line: line.metric in _PRECISIONS,
        extra="Split",
    ),
    _table(
        "counts",
        "Parameters that train, their share of the backbone, and gains on average",
        "Parameters in millions, shares in percent, gains in points of mIoU or oIoU (not said).",
        (
            Tuned(),
            Reported("In the backbone", "", "", "params-backbone"),
            Reported("In the decoder", "", "", "params-decoder"),
            Reported("Both", "", "", "params-total"),
            Reported("Share", "", "", "share"),
            Reported("Gain", "all", "mean", "gain"),
        ),
        lambda line: line.metric in (*OF_MODELS, "gain"),
    ),
)
