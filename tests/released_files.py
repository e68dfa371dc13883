"""Files as the released ETRIS training writes them, made from recorded or from our own weights."""

from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from risbook.systems.etris import ETRIS
from risbook.systems.rename_etris import _BRIDGER, _LATER
from risbook.towers.clip_resnet import CLIPResNet
from risbook.towers.rename_clip import OPENAI_RESNET, OPENAI_TEXT, OPENAI_VIT


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


def official_state(system: ETRIS) -> dict[str, Tensor]:
    """The weights of one of ours under official names."""
    image = OPENAI_RESNET if isinstance(system.image_tower, CLIPResNet) else OPENAI_VIT
    towers = image.to_theirs(system.image_tower.state_dict())
    towers |= OPENAI_TEXT.to_theirs(system.text_tower.state_dict())
    state = {f"backbone.{name}": value for name, value in towers.items()}
    bridgers = {ours: theirs for theirs, ours in _BRIDGER.items()}
    for name, value in system.state_dict().items():
        part, _, rest = name.partition(".")
        if part == "logit_scale":
            state["backbone.logit_scale"] = value
        elif part == "bridgers":
            _, stage, ours, leaf = rest.split(".", 3)
            number = int(stage) - _LATER.get(bridgers[ours], 1)
            state[f"bridger.{bridgers[ours]}.{number}.{leaf}"] = value
        elif part not in system.towers:
            state[f"{part.replace('projector', 'proj')}.{rest}"] = value
    return state
