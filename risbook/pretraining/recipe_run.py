"""From a recipe's name to towers on the disk, each with its card."""

import datetime
import hashlib
import json
import shlex
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch

from risbook import __version__
from risbook.data.dataset import ReferData
from risbook.evaluation.result_files import describe_device
from risbook.files import write_atomically, write_json
from risbook.pretraining.image_corpus import read_pictures
from risbook.pretraining.pretrain import LoopConfig, pretrain
from risbook.pretraining.recipes import Prepared, recipe_of
from risbook.pretraining.tower_probes import (
    HELD_OUT,
    SceneSet,
    probe_categories,
    probe_patches,
    sample_scenes,
    score_retrieval,
)
from risbook.towers.build import build_tower, save_tower
from risbook.towers.clip import CLIP
from risbook.towers.tower_presets import tower_preset
from risbook.towers.weights_source import weights_source
from risbook.training.precision import choose_precision
from risbook.training.run_log import read_log


def run_recipe(
    name: str,
    sources: Sequence[ReferData],
    folder: Path,
    *,
    device: torch.device,
    resume: bool = False,
    text: str | Path = "auto",
    changes: Mapping[str, Any] | None = None,
) -> list[Path]:
    """Pretrain, keep the towers, and measure them.

    Args:
        name: one of `risbook.pretraining.recipes.RECIPES`.
        sources: drawn sets; their training pictures are learned from, their others measured on.
        folder: gets the run's log and state, and a folder for each tower.
        device: where to compute.
        resume: go on from the state in the folder, if there is one.
        text: folder of a text tower, for a recipe that meets one; "auto" for the shipped one.
        changes: fields of the recipe's `LoopConfig` to change.

    Returns:
        The towers' folders.
    """
    recipe = recipe_of(name)
    loop = replace(recipe.loop, **(changes or {}))
    pictures = read_pictures(sources)
    torch.manual_seed(loop.seed)
    prepared = recipe.prepare(pictures, text)
    prepared.objective.to(device)
    pretrain(prepared.objective, loop, folder, device=device, resume=resume)
    prepared.objective.to("cpu").eval()
    about = _about(name, loop, recipe.config, folder, device, text)
    return [
        _keep(tower, prepared, sources, folder, about=about, device=device)
        for tower in prepared.towers
    ]


def _about(
    name: str,
    loop: LoopConfig,
    config: Any,
    folder: Path,
    device: torch.device,
    text: str | Path,
) -> dict[str, Any]:
    """What repeats the run, and what it was."""
    words = ["risbook", "pretrain", name, "--out", f"runs/{name}"]
    standard = recipe_of(name).loop
    for key in ("steps", "seed", "precision"):
        if getattr(loop, key) != getattr(standard, key):
            words += [f"--{key}", str(getattr(loop, key))]
    if str(text) != "auto":
        words += ["--text", str(text)]
    steps = [row for row in read_log(folder / "log.jsonl") if row["kind"] == "step"]
    return {
        "command": shlex.join(words),
        "recipe": name,
        "loop": asdict(loop),
        "config": asdict(config),
        "precision": choose_precision(loop.precision, device),
        "device": describe_device(device),
        "date": datetime.date.today().isoformat(),
        "minutes": round(_seconds(steps) / 60, 1),
        "risbook": __version__,
        "torch": torch.__version__,
    }


def _seconds(steps: Sequence[Mapping[str, Any]]) -> float:
    """Seconds of a run; the clock of the log starts again where a run was resumed."""
    clock = [float(row["seconds"]) for row in steps]
    starts_again = [a for a, b in pairwise(clock) if b < a]
    return sum(starts_again) + clock[-1]


def _keep(
    name: str,
    prepared: Prepared,
    sources: Sequence[ReferData],
    folder: Path,
    *,
    about: dict[str, Any],
    device: torch.device,
) -> Path:
    """Write a tower's folder: weights, configuration, log, figures and card."""
    place = folder / name
    text_side = tower_preset(name).family == "clip-text"
    save_tower(
        prepared.towers[name](),  # type: ignore[arg-type]
        place,
        name=name,
        source=about["command"],
        tokenizer=prepared.tokenizer if text_side else None,
    )
    if prepared.clip is not None:
        about = {**about, "scale": round(float(prepared.clip.scale.detach()), 4)}
    shutil.copyfile(folder / "log.jsonl", place / "log.jsonl")
    write_json(place / "pretraining.json", about)
    # The figures are those of the 16-bit file, as anybody loads it.
    scores = measure(name, place, prepared, sources)
    write_json(place / "scores.json", scores)
    with write_atomically(place / "README.md") as path:
        path.write_text(card(name, place), encoding="utf-8")
    return place


def measure(
    name: str, weights: str | Path, prepared: Prepared, sources: Sequence[ReferData]
) -> dict[str, Any]:
    """Measure a tower on held-out scenes, beside a random one of the same shape.

    Args:
        name: the tower's name.
        weights: its folder.
        prepared: the recipe's towers, for what it is paired with.
        sources: drawn sets; the first one's scenes are probed, all of them searched.

    Returns:
        "scenes" with the counts, and "retrieval", "kinds" and "patches" where they apply.
    """
    preset = tower_preset(name)
    if preset.family == "clip-text":
        return {}
    tower = build_tower(name, weights=weights)
    torch.manual_seed(0)
    # With DINOv2's first LayerScale, 1e-5, a random tower would be little more than its patches.
    changes: dict[str, Any] = {"layer_scale": 1.0} if preset.family == "dinov2" else {}
    stranger = build_tower(name, weights="random", **changes)
    size = preset.image_size
    train = sample_scenes(sources[0], ["train"], 500)
    test = sample_scenes(sources[0], HELD_OUT, 300)
    scores: dict[str, Any] = {
        # not where the folder lies: it is moved when it is shipped
        "origin": {"kind": weights_source(tower).kind, "sha256": weights_source(tower).sha256},
        "scenes": {"probes learn from": len(train.image_ids), "probes asked": len(test.image_ids)},
        "patches": [
            {"weights": label, **row}
            for label, one in (("pretrained", tower), ("random", stranger))
            for row in probe_patches(one, train, test, size=size)
        ],
    }
    if prepared.clip is not None and prepared.tokenizer is not None:
        pair = CLIP(image=tower, text=prepared.clip.text)
        searched = _searched(sources)
        found = score_retrieval(pair, prepared.tokenizer, searched, size=size)
        scores["retrieval"] = found.as_dict()
        scores["kinds"] = [
            {"weights": label, **probe_categories(one, train, test, size=size)}
            for label, one in (("pretrained", tower), ("random", stranger))
        ]
    return scores


def _searched(sources: Sequence[ReferData], count: int = 500) -> list[SceneSet]:
    """Held-out scenes of all sets, a shared picture once, `count` in all."""
    found: list[SceneSet] = []
    seen: set[str] = set()
    for data in sources:
        left = count - sum(len(one.image_ids) for one in found)
        fresh = tuple(
            image_id
            for image_id in sample_scenes(data, HELD_OUT, 10**9).image_ids
            if data.instances.images[image_id].file_name not in seen
        )[:left]
        seen |= {data.instances.images[image_id].file_name for image_id in fresh}
        if fresh:
            found.append(SceneSet(data, fresh))
    return found


def card(name: str, folder: Path) -> str:
    """The README of a tower: what it is, how it came to be, and what it is worth."""
    about = json.loads((folder / "pretraining.json").read_text(encoding="utf-8"))
    scores = json.loads((folder / "scores.json").read_text(encoding="utf-8"))
    file = folder / "model.safetensors"
    tower = build_tower(name, weights=folder)
    count = sum(value.numel() for value in tower.parameters())
    lines = [
        f"# {name}",
        "",
        f"{count:,} parameters, trained from random weights on the drawn world RefScenes: its "
        "training pictures, captions, expressions and their boxes, no mask and no category.",
        "",
        f"- pretraining: `{about['command']}`",
        f"- {about['loop']['steps']:,} steps, seed {about['loop']['seed']}, precision "
        f"{about['precision']}, {about['minutes']:.0f} minutes on {about['device']}, "
        f"{about['date']}",
        f"- `model.safetensors`: {file.stat().st_size / 1e6:.1f} MB (16 bit), SHA-256 "
        f"`{hashlib.sha256(file.read_bytes()).hexdigest()}`",
        "- `pretraining.json` holds the whole configuration, `log.jsonl` the losses, "
        "`scores.json` the figures below",
    ]
    if "retrieval" in scores:
        lines += ["", *_retrieval_lines(scores["retrieval"])]
    if "kinds" in scores:
        lines += ["", *_kinds_lines(scores["kinds"])]
    if "patches" in scores:
        lines += ["", *_patch_lines(scores["patches"], scores["scenes"])]
    return "\n".join(lines) + "\n"


def _retrieval_lines(found: Mapping[str, Any]) -> list[str]:
    lines = [
        f"Retrieval among {found['count']} held-out scenes and their captions, percent:",
        "",
        "| | R@1 | R@5 | R@10 | median rank |",
        "|---|---|---|---|---|",
    ]
    for row in ("image to text", "text to image", "chance"):
        figures = found[row]
        shares = " | ".join(f"{100 * figures[cut]:.1f}" for cut in ("R@1", "R@5", "R@10"))
        lines.append(f"| {row} | {shares} | {figures['median rank']:.0f} |")
    return lines


def _kinds_lines(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = [
        "Kind of a thing (19 kinds) from the image vector of a close view, linear probe, percent:",
        "",
        "| weights | accuracy | mean over kinds |",
        "|---|---|---|",
    ]
    return lines + [
        f"| {row['weights']} | {100 * row['accuracy']:.1f} "
        f"| {100 * row['mean class accuracy']:.1f} |"
        for row in rows
    ]


def _patch_lines(rows: Sequence[Mapping[str, Any]], scenes: Mapping[str, int]) -> list[str]:
    lines = [
        f"What lies under a patch, from the last map; learned from {scenes['probes learn from']} "
        f"training scenes, asked on {scenes['probes asked']} held-out ones, percent:",
        "",
        "| asked for | on | method | weights | accuracy | mean over classes | mIoU |",
        "|---|---|---|---|---|---|---|",
    ]
    order = sorted(rows, key=lambda row: (row["of"], row["on"], row["method"]))
    return lines + [
        f"| {row['of']} | {row['on']} | {row['method']} | {row['weights']} "
        f"| {100 * row['accuracy']:.1f} | {100 * row['mean class accuracy']:.1f} "
        f"| {100 * row['mIoU']:.1f} |"
        for row in order
    ]
