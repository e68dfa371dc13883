"""``risbook pretrain``: make the book's small towers from random weights."""

from pathlib import Path

from risbook.cli.shared import choose_device
from risbook.config import PositiveCount, Precision, Seed


def pretrain(
    recipe: str,
    *,
    out: Path,
    steps: PositiveCount | None = None,
    seed: Seed | None = None,
    precision: Precision | None = None,
    text: Path | None = None,
    init: Path | None = None,
    device: str = "",
    resume: bool = False,
) -> None:
    """Pretrain one of the small towers that come with the book, and measure it.

    Args:
        recipe: clip-mini, clip-mini-rn, dinov2-mini or dinov2-mini-alone.
        out: folder of the run.
        steps: optimiser steps (default: the recipe's).
        seed: of weights, order and augmentations (default: 0).
        precision: arithmetic (default: auto, 16 bit where the machine is fast at it).
        text: clip-mini-rn only: folder of the text tower (default: the shipped one).
        init: folder that holds a folder for each tower from which the run starts (default: random
            weights; for dinov2-mini, which starts from clip-mini-40k-image, the shipped ones).
        device: cpu, cuda, cuda:1, ... (default: a GPU if there is one).
        resume: go on from the state in --out.

    for example:
      risbook pretrain clip-mini --out runs/clip-mini
      risbook pretrain clip-mini-rn --text runs/clip-mini/clip-mini-text --out runs/clip-mini-rn
      risbook pretrain dinov2-mini --out runs/dinov2-mini --resume

    Only the training images of a drawn world, their captions and expressions are read. The world is
    one for pretraining alone, of 40,000 images, and is drawn at first use, in about ten minutes;
    dinov2-mini-alone reads the training images of RefScenes. dinov2-mini also needs the weights of
    dinov2-s (risbook towers get dinov2-s). Each tower ends in a folder of its own in --out, with
    its card; the run can be killed and resumed.
    """
    from risbook.data import open_data
    from risbook.pretraining import run_recipe
    from risbook.pretraining.recipes import get_recipe
    from risbook.refscenes import world_folder
    from risbook.refscenes.sets import SIZES

    size, world_seed = get_recipe(recipe).world
    names = SIZES[size].partitions
    world = world_folder(size, world_seed)
    settings = {"steps": steps, "seed": seed, "precision": precision}
    folders = run_recipe(
        recipe,
        [open_data(world / name) for name in names],
        out,
        device=choose_device(device),
        resume=resume,
        text=text or "auto",
        init=init,
        probed=[open_data(name) for name in names],
        overrides={name: value for name, value in settings.items() if value is not None},
    )
    for folder in folders:
        print(f"{folder / 'README.md'}: the card of {folder.name}")
