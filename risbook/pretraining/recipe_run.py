"""Run a recipe: pretrain its towers, and write each with its scores and its card."""

import datetime
import shlex
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from risbook import __version__
from risbook.data.dataset import ReferData
from risbook.evaluation.result_files import describe_device
from risbook.files import write_atomically, write_json
from risbook.layers.precision import choose_precision
from risbook.pretraining.image_corpus import read_corpus
from risbook.pretraining.pretrain import pretrain
from risbook.pretraining.pretraining_objective import PretrainingConfig
from risbook.pretraining.recipes import RecipeInputs, RecipeSetup, get_recipe
from risbook.pretraining.tower_card import tower_card
from risbook.pretraining.tower_scores import score_tower
from risbook.towers.build import save_tower
from risbook.towers.presets import get_tower_preset
from risbook.towers.weights.origin import weights_origin
from risbook.training.run_folder import LOG_FILE, RunFolder
from risbook.training.run_log import read_log


def run_recipe(
    name: str,
    sources: Sequence[ReferData],
    folder: Path,
    *,
    device: torch.device,
    resume: bool = False,
    text: str | Path = "auto",
    init: Path | None = None,
    probed: Sequence[ReferData] = (),
    overrides: Mapping[str, Any] | None = None,
) -> list[Path]:
    """Pretrain the towers of a recipe, write them, and score them.

    Args:
        name: one of `risbook.pretraining.recipes.RECIPES`.
        sources: drawn sets; training reads their training images.
        folder: gets the run's settings, log and state, and a folder for each tower.
        device: where to compute.
        resume: continue from the state in the folder.
        text: folder of a text tower, for a recipe that needs one; "auto" for the shipped one.
        init: folder with a folder of weights for each tower, from which the run starts; None for
            random weights.
        probed: drawn sets for the scores. Probes learn from their training images and are tested
            on the others; `sources` if there are none.
        overrides: fields of the recipe's `PretrainingConfig` to change.

    Returns:
        The towers' folders.

    Raises:
        RisbookError: as `pretrain`, and for a tower's folder that holds other files.
    """
    recipe = get_recipe(name)
    loop = replace(recipe.loop, **(overrides or {}))
    if not resume:
        for tower in recipe.towers:
            RunFolder(folder / tower).check_free()
    corpus = read_corpus(sources)
    torch.manual_seed(loop.seed)
    setup = recipe.build(RecipeInputs(corpus, loop, text=text, init=init, folder=folder))
    setup.objective.to(device)
    digests = {
        name: weights_origin(tower).sha256
        for name, tower in {**setup.origins, **setup.towers}.items()
    }
    initial = {name: digest for name, digest in digests.items() if digest}
    settings = {
        "recipe": name,
        "text": str(text),
        "config": asdict(recipe.config),
        "init": initial,
        "world": list(recipe.world),
    }
    pretrain(setup.objective, folder, device=device, resume=resume, settings=settings)
    setup.objective.to("cpu").eval()
    about = {
        "command": _command(name, loop, str(text), init),
        "recipe": name,
        "init": initial,
        "images": len(corpus),
        "loop": asdict(loop),
        "config": asdict(recipe.config),
        "precision": choose_precision(loop.precision, device),
        "device": describe_device(device),
        "date": datetime.date.today().isoformat(),
        "minutes": round(read_log(folder / LOG_FILE)[-1]["seconds"] / 60, 1),
        "risbook": __version__,
        "torch": torch.__version__,
    }
    if setup.clip is not None:
        about["scale"] = round(float(setup.clip.scale.detach()), 4)
    return [_keep_tower(tower, setup, probed or sources, folder, about) for tower in setup.towers]


def _command(name: str, loop: PretrainingConfig, text: str, init: Path | None) -> str:
    """The command line that repeats the run."""
    words = ["risbook", "pretrain", name, "--out", f"runs/{name}"]
    for key in ("steps", "seed", "precision"):
        if getattr(loop, key) != getattr(get_recipe(name).loop, key):
            words += [f"--{key}", str(getattr(loop, key))]
    if text != "auto":
        words += ["--text", text]
    if init is not None:
        words += ["--init", init.name]
    return shlex.join(words)


def _keep_tower(
    name: str,
    setup: RecipeSetup,
    sources: Sequence[ReferData],
    folder: Path,
    about: Mapping[str, Any],
) -> Path:
    """Write a tower's folder: weights, configuration, log, scores and card."""
    tower_folder = folder / name
    has_text = get_tower_preset(name).family == "clip-text"
    save_tower(
        setup.towers[name],
        tower_folder,
        name=name,
        source=about["command"],
        tokenizer=setup.tokenizer if has_text else None,
    )
    shutil.copyfile(folder / LOG_FILE, tower_folder / LOG_FILE)
    write_json(tower_folder / "pretraining.json", about)
    # The scores belong to the 16-bit file, which users load, not to the float32 weights.
    text_tower = None if setup.clip is None else setup.clip.text_tower
    scores = score_tower(
        name, tower_folder, sources, text_tower=text_tower, tokenizer=setup.tokenizer
    )
    write_json(tower_folder / "scores.json", scores)
    with write_atomically(tower_folder / "README.md") as path:
        path.write_text(tower_card(name, tower_folder), encoding="utf-8")
    return tower_folder
