"""The card of a pretrained tower: its size, its training and its scores."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from risbook.towers.build import build_tower


def tower_card(name: str, folder: Path) -> str:
    """The README of a tower: size, training and scores."""
    about = json.loads((folder / "pretraining.json").read_text(encoding="utf-8"))
    scores = json.loads((folder / "scores.json").read_text(encoding="utf-8"))
    file = folder / "model.safetensors"
    tower = build_tower(name, weights=folder)
    count = sum(value.numel() for value in tower.parameters())
    lines = [
        f"# {name}",
        "",
        f"{count:,} parameters, trained from {_start(name, about)} on {_data(about)}, no mask and "
        "no category.",
        "",
        f"- pretraining: `{about['command']}`",
        f"- {about['loop']['steps']:,} steps, seed {about['loop']['seed']}, precision "
        f"{about['precision']}, {about['minutes']:.0f} minutes on {about['device']}, "
        f"{about['date']}",
        f"- `model.safetensors`: {file.stat().st_size / 1e6:.1f} MB (16 bit), SHA-256 "
        f"`{hashlib.sha256(file.read_bytes()).hexdigest()}`",
        "- `pretraining.json` holds the whole configuration, `log.jsonl` the losses, "
        "`scores.json` the scores below",
    ]
    if "retrieval" in scores:
        lines += _retrieval_lines(scores["retrieval"])
    if "kinds" in scores:
        lines += _category_lines(scores["kinds"])
    if "patches" in scores:
        lines += _patch_lines(scores["patches"], scores["scenes"])
    return "\n".join(lines) + "\n"


def _start(name: str, about: Mapping[str, Any]) -> str:
    """The weights from which the run started, and the teacher if there was one."""
    origins = dict(about.get("init", {}))
    teacher = about.get("config", {}).get("teacher", "")
    teacher_digest = origins.pop(teacher, "")
    if name in origins:
        start = f"earlier weights (SHA-256 `{origins[name][:16]}`)"
    elif teacher and origins:
        [(other, digest)] = origins.items()
        start = f"the weights of {other} (SHA-256 `{digest[:16]}`)"
    else:
        start = "random weights"
    if teacher:
        start += f" to predict the features of {teacher} (SHA-256 `{teacher_digest[:16]}`)"
    return start


def _data(about: Mapping[str, Any]) -> str:
    """The images, and what of their annotations was read."""
    if "teacher" in about.get("config", {}):
        count = min(about["images"], about["config"]["num_images"])
        return f"{count:,} images of RefScenes: their pixels and the boxes of described objects"
    number = f"{about['images']:,} " if "images" in about else "the training "
    return f"{number}images of RefScenes: their captions, expressions and boxes"


def _retrieval_lines(scores: Mapping[str, Any]) -> list[str]:
    cuts = ("R@1", "R@5", "R@10")
    return _table(
        f"Retrieval among {scores['count']} held-out scenes and their captions, percent:",
        "| | R@1 | R@5 | R@10 | median rank |",
        [
            [row, *_percent(scores[row], cuts), f"{scores[row]['median rank']:.0f}"]
            for row in ("image to text", "text to image", "chance")
        ],
    )


def _category_lines(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    return _table(
        "Category of an object (19 categories) from the image vector of its crop, linear probe, "
        "percent:",
        "| weights | accuracy | mean over categories |",
        [[row["weights"], *_percent(row, ("accuracy", "mean class accuracy"))] for row in rows],
    )


def _patch_lines(rows: Sequence[Mapping[str, Any]], scenes: Mapping[str, int]) -> list[str]:
    labels = ("of", "on", "method", "weights")
    figures = ("accuracy", "mean class accuracy", "mIoU")
    order = sorted(rows, key=lambda row: (row["of"], row["on"], row["method"]))
    return _table(
        f"Label of a patch from the last feature map; probes are trained on "
        f"{scenes['probes learn from']} training scenes and tested on {scenes['probes asked']} "
        "held-out ones, percent:",
        "| label | patches | method | weights | accuracy | mean over classes | mIoU |",
        [[*(row[label] for label in labels), *_percent(row, figures)] for row in order],
    )


def _percent(scores: Mapping[str, float], names: Iterable[str]) -> list[str]:
    return [f"{100 * scores[name]:.1f}" for name in names]


def _table(caption: str, header: str, rows: Iterable[Iterable[str]]) -> list[str]:
    """A caption and a Markdown table below it."""
    rule = "|" + "---|" * (header.count("|") - 1)
    return ["", caption, "", header, rule, *(f"| {' | '.join(row)} |" for row in rows)]
