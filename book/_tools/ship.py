"""Turn a finished run into a checkpoint that comes with the package.

    python book/_tools/ship.py runs/first-model first-model

writes ``risbook/checkpoints/first-model``: the weights in 16 bit, the run's configuration and log,
the scores of every split of the drawn world (``scores.json``), and a card that tells all of it
(``README.md``). The scores are those of the 16-bit file as anybody loads it.
"""

import argparse
import hashlib
import json
import shutil
from pathlib import Path

import torch

from risbook.data import ReferringDataset, open_data
from risbook.evaluation import read_result, score_system, write_result
from risbook.layers.precision import choose_precision
from risbook.systems import load_system, save_system
from risbook.systems.checkpoints import SHIPPED_SYSTEMS
from risbook.systems.parameters import count_parameters
from risbook.systems.system import System
from risbook.training import TrainingConfig, read_log

SETS = ("refscenes", "refscenes+", "refscenesg")


def train_command(config: TrainingConfig) -> str:
    """The words that repeat the run."""
    words = ["risbook", "train", config.system, "--data", *config.data]
    if config.num_images:
        words += ["--num-images", config.num_images, "--subset-seed", config.subset_seed]
    words += ["--steps", config.steps, "--batch-size", config.batch_size]
    words += ["--learning-rate", f"{config.learning_rate:g}"]
    usual = TrainingConfig(system=config.system, data=config.data)
    for name in ("schedule", "max_grad_norm", "loss", "target_sampling", "precision"):
        if (value := getattr(config, name)) != getattr(usual, name):
            words += [f"--{name.replace('_', '-')}", value]
    if config.lr_multipliers:
        groups = (f"{name}={times:g}" for name, times in config.lr_multipliers.items())
        words += ["--lr-multipliers", *groups]
    words += ["--seed", config.seed, "--out", f"runs/{config.system}"]
    return " ".join(str(word) for word in words)


def what_learned(system: System) -> str:
    """How many of how many parameters, and what the others are."""
    report = count_parameters(system)
    if not report.frozen:
        return (
            f"{report.total:,} parameters, all trained from random weights on the drawn world "
            "RefScenes."
        )
    towers = ", ".join(
        f"`{origin['source']}` (SHA-256 `{origin['sha256'][:16]}`)"
        for origin in system.weights_origins().values()
    )
    return (
        f"{report.tuned:,} of {report.total:,} parameters were tuned on the drawn world RefScenes "
        f"({report.backbone_tuned:,} of them in or between the towers); the others are those of "
        f"the frozen towers and do not lie here: {towers}."
    )


def card(folder: Path, name: str) -> str:
    """The README of a shipped checkpoint."""
    config = TrainingConfig.load(folder / "training.json")
    result = read_result(folder / "scores.json")
    log = [row for row in read_log(folder / "log.jsonl") if row["kind"] == "step"]
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    lines = [
        f"# {name}",
        "",
        what_learned(load_system(folder)),
        "",
        f"- training: `{train_command(config)}`",
        f"- {config.steps:,} steps of {config.batch_size}, seed {config.seed}, precision "
        f"{choose_precision(config.precision, torch.device('cpu'))}, "
        f"{log[-1]['seconds'] / 60:.0f} minutes on {result['device']}, {result['date']}",
        f"- scores: `{result['command']}`",
        f"- SHA-256 of `model.safetensors`: `{digest}`",
        "",
        "Percent, at the pictures' own resolution, every expression of the split:",
        "",
        "| set | split | expressions | mIoU | oIoU | Pr@0.5 |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['set']} | {row['split']} | {row['count']} | {100 * row['mIoU']:.1f} "
        f"| {100 * row['oIoU']:.1f} | {100 * row['Pr@0.5']:.1f} |"
        for row in result["rows"]
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Ship a run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("name")
    options = parser.parse_args()
    folder = SHIPPED_SYSTEMS / options.name
    save_system(load_system(options.run), folder, dtype=torch.float16)
    for file in ("training.json", "log.jsonl"):
        shutil.copyfile(options.run / file, folder / file)
    system = load_system(folder)
    rows = []
    for name in SETS:
        data = open_data(name)
        for split in data.expressions.splits:
            if split != "train":
                dataset = ReferringDataset(data, split=split)
                summary = score_system(system, dataset).summary()
                rows.append({"set": name, "split": split, **summary.as_dict()})
    write_result(
        folder / "scores.json",
        rows,
        command=["risbook", "evaluate", options.name, "--data", *SETS],
        system=system,
        settings={"threshold": 0.35, "text": "sent", "limit": 0, "data": list(SETS)},
    )
    (folder / "README.md").write_text(card(folder, options.name), encoding="utf-8")
    print(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
