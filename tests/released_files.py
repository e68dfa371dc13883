"""Files as the released trainings write them, of recorded, random, or our own weights."""

import math
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path

import torch
from published_names import openai_state
from torch import Tensor, nn

from risbook.systems.etris import ETRIS
from risbook.systems.etris.rename_etris import BRIDGER_PARTS
from risbook.towers.clip_resnet import CLIPResNet


def write_released(state: Mapping[str, Tensor], path: Path) -> Path:
    """Write what ``train.py`` of the released code writes beside and around a state dict.

    Args:
        state: official names, without the "module." that its DistributedDataParallel adds.
        path: the file.

    Returns:
        The file.
    """
    # The released training saves its optimiser and its schedule as well, with what they consist of.
    optimizer = torch.optim.Adam(nn.Linear(2, 2).parameters(), lr=1e-4)
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones=[35], gamma=0.1)
    torch.save(
        {
            "epoch": 50,
            "cur_iou": 0.5,
            "best_iou": 0.5,
            "prec": {"Pr@50": 0.5},
            "state_dict": OrderedDict((f"module.{name}", value) for name, value in state.items()),
            "optimizer": optimizer.state_dict(),
            "scheduler": schedule.state_dict(),
        },
        path,
    )
    return path


def random_state(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Random weights of a released model, by the names and shapes of its entries."""
    generator = torch.Generator().manual_seed(0)
    state = {}
    for name, shape in shapes.items():
        if name.endswith("num_batches_tracked"):
            state[name] = torch.tensor(0)
        elif name.endswith("running_var"):
            state[name] = 0.5 + torch.rand(shape, generator=generator)
        else:
            fan_in = math.prod(shape[1:]) if len(shape) > 1 else 100
            state[name] = torch.randn(shape, generator=generator) / fan_in**0.5
            if name.endswith((".gamma", "weight")) and len(shape) == 1:  # LayerScale and norms
                state[name] += 1
    return state


def official_state(system: ETRIS) -> dict[str, Tensor]:
    """The weights of one of ours under official names."""
    towers = openai_state(system.image_tower.state_dict())
    towers |= openai_state(system.text_tower.state_dict())
    state = {f"backbone.{name}": value for name, value in towers.items()}
    released = {ours: (name, first) for name, (ours, first) in BRIDGER_PARTS.items()}
    for name, value in system.state_dict().items():
        part, _, rest = name.partition(".")
        if part == "logit_scale":
            state["backbone.logit_scale"] = value
        elif part == "bridgers":
            _, stage, ours, leaf = rest.split(".", 3)
            name, first_stage = released[ours]
            if isinstance(system.image_tower, CLIPResNet) and ours.startswith("zoom"):
                leaf = leaf.removeprefix("0.")
            state[f"bridger.{name}.{int(stage) - first_stage}.{leaf}"] = value
        elif part == "head":
            state[rest.replace("projector.", "proj.")] = value
    return state
