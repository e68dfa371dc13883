"""What the authors report of the model that a released checkpoint holds, for its card."""

from collections.abc import Mapping
from typing import Any

from risbook.ledger.published import published
from risbook.ledger.selection import Filter

#: presets -> the lines of the ledger in which the authors speak of them
AUTHORS_LINES: Mapping[str, Filter] = {
    "etris-rn50": {"system": "ETRIS", "backbone": "CLIP RN50", "source": "etris"},
    "etris-rn101": {"system": "ETRIS", "backbone": "CLIP RN101", "source": "etris"},
    "etris-vitb16": {"system": "ETRIS", "backbone": "CLIP ViT-B/16", "source": "etris"},
    "detris-b": {"system": "DETRIS-B", "source": "detris"},
    "detris-l": {"system": "DETRIS-L", "training": "single", "source": "detris"},
    "detris-l-mixed": {"system": "DETRIS-L", "training": "mixed", "source": "detris"},
}
#: training data, as the released repositories name them -> what is evaluated after it
EVALUATED: Mapping[str, Filter] = {
    "refcoco": {"dataset": "refcoco"},
    "refcoco+": {"dataset": "refcoco+"},
    "refcocog_u": {"dataset": "refcocog", "split": ("val-u", "test-u")},
    "refcocog_g": {"dataset": "refcocog", "split": "val-g"},
    "refcoco_mixed": {"dataset": ("refcoco", "refcoco+", "refcocog")},
}
METRICS = ("mIoU", "oIoU")


def reported_results(name: str, data: str | None) -> list[dict[str, Any]]:
    """Results as `risbook.systems.System.about` holds them; empty where the ledger has none.

    Args:
        name: a preset.
        data: the data set that the checkpoint was trained on, as the released code names it; None
            if unknown.

    >>> [result] = reported_results("detris-b", "refcocog_g")
    >>> result["rows"]
    [{'set': 'refcocog', 'split': 'val-g', 'mIoU': '65.9', 'oIoU': '63.2'}]
    """
    if data is None or name not in AUTHORS_LINES or data not in EVALUATED:
        return []
    rows: dict[tuple[str, str], dict[str, str]] = {}
    sources: dict[str, None] = {}
    lines = published(**AUTHORS_LINES[name], **EVALUATED[data], variant="", metric=METRICS)
    for line in lines:
        row = rows.setdefault(
            (line.dataset, line.split), {"set": line.dataset, "split": line.split}
        )
        row[line.metric] = line.printed
        sources[f"{line.source.link()}, {line.place}"] = None
    if not rows:
        return []
    return [{"kind": "reported", "source": "; ".join(sources), "rows": list(rows.values())}]
