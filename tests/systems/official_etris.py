"""Helpers of the parity tests of ETRIS: small models, what they compute, the drawing of weights."""

import zlib
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from parity import Recording, outputs_of
from torch import Tensor

from risbook.systems.etris import ETRIS, ETRISConfig
from risbook.systems.rename_etris import BRIDGER_PARTS, rename_etris
from risbook.systems.system import NoTokenizer
from risbook.systems.tower_system import ImageTower
from risbook.towers.clip_resnet import CLIPResNet
from risbook.towers.image_transformer import ImageTransformer
from risbook.towers.text_transformer import TextTransformer

#: of the recorded small models
SMALL = ETRISConfig(
    image_size=64,
    word_length=7,
    bridger_width=8,
    bridger_heads=2,
    decoder_width=16,
    decoder_heads=4,
    decoder_hidden=24,
    projector_width=8,
    dropout=0.0,
)


def small_towers(*, resnet: bool) -> tuple[ImageTower, TextTransformer]:
    image: ImageTower
    if resnet:
        image = CLIPResNet(layers=(1, 2, 1, 1), width=4, output=24, heads=2, table=3)
    else:
        image = ImageTransformer(
            kind="clip", width=24, depth=12, heads=3, patch=8, table=4, projection=24
        )
    text = TextTransformer(vocabulary=50, width=16, depth=12, heads=2, context=20, projection=24)
    return image, text


def small_etris(*, resnet: bool, **changes: Any) -> ETRIS:
    config = replace(SMALL, image_size=64 if resnet else 32, **changes)
    towers = small_towers(resnet=resnet)
    return ETRIS(config=config, towers=towers, tokenizer=NoTokenizer(config.word_length))


def recorded_etris(name: str, *, resnet: bool, **changes: Any) -> tuple[ETRIS, Recording]:
    """A small ETRIS with the weights of a recorded file, and the file."""
    file = Recording(name)
    system = small_etris(resnet=resnet, **changes)
    load(system, file.below("w."), resnet=resnet)
    return system.eval(), file


def load(system: ETRIS, official: dict[str, Tensor], *, resnet: bool) -> None:
    ours = rename_etris(official, resnet=resnet)
    wanted = system.state_dict()
    assert set(ours) == set(wanted), sorted(set(ours) ^ set(wanted))[:5]
    system.load_state_dict(ours, strict=True)


def watched(system: ETRIS, images: Tensor, words: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """Logits, and what the released model's submodules give out, under their names and layouts."""
    resnet = isinstance(system.image_tower, CLIPResNet)
    outputs = outputs_of(system)
    image_runs, text_runs = _runs_of(system.image_tower), _runs_of(system.text_tower)
    with torch.no_grad():
        logits = system(images, words)
    theirs = {"backbone.ln_final": outputs["text_tower.text.final_layer_norm"]}
    # Between the towers' ends, sequences are (length, batch, channel) there.
    for block, states in zip((3, 7, 11), text_runs, strict=True):
        theirs[f"backbone.transformer.resblocks.{block}"] = states.transpose(0, 1)
    if resnet:
        theirs["backbone.visual.attnpool"] = outputs["image_tower.attention_pool"]
        theirs |= {f"backbone.visual.layer{n}": one for n, one in enumerate(image_runs, start=1)}
    else:
        theirs["backbone.visual.ln_pre"] = outputs["image_tower.vit.norm_pre"]
        theirs["backbone.visual.ln_post"] = outputs["image_tower.vit.norm"][:, 1:]
        for block, tokens in zip((3, 7, 11), image_runs, strict=True):
            name = f"backbone.visual.transformer.resblocks.{block}"
            theirs[name] = tokens.transpose(0, 1)
    for official, (ours, first_stage) in BRIDGER_PARTS.items():
        for stage in system.bridgers.stages:
            one = outputs.get(f"bridgers.stages.{stage}.{ours}")
            if one is not None:
                is_map = official.startswith("zoom")
                theirs[f"bridger.{official}.{int(stage) - first_stage}"] = (
                    one if is_map else one.transpose(0, 1)
                )
    theirs |= {"neck": outputs["neck"], "decoder": outputs["decoder"].flatten(2)}
    return logits, theirs | {"proj": outputs["projector"]}


def _runs_of(tower: Any) -> list[Tensor]:
    """What a tower gives out after each of its stages, filled as it runs."""
    run, runs = tower.run, []

    def noted(*given: Any) -> Tensor:
        runs.append(run(*given))
        return runs[-1]

    tower.run = noted
    return runs


def drawn(name: str, shape: tuple[int, ...]) -> Tensor:
    """The weight that the recorder drew for a name (README of the recorded files)."""
    leaf = name.rsplit(".", 1)[-1]
    if leaf == "num_batches_tracked":
        return torch.tensor(0)
    if leaf == "logit_scale":
        return torch.tensor(np.log(1 / 0.07), dtype=torch.float32)
    count = int(np.prod(shape)) if shape else 1
    n = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(count).reshape(shape)
    if leaf == "running_var":
        value = 1 + 0.2 * np.abs(n)
    elif leaf == "running_mean" or "positional_embedding" in leaf or leaf == "class_embedding":
        value = 0.1 * n
    elif name.endswith("token_embedding.weight"):
        value = 0.3 * n
    elif len(shape) >= 2:
        value = n / np.sqrt(np.prod(shape[1:]))
        if name.endswith("proj.txt.weight") or name == "txt.weight":
            value = 0.1 * value
    elif leaf in ("bias", "in_proj_bias"):
        value = 0.05 * n
    else:
        value = 1 + 0.1 * n
    return torch.from_numpy(value.astype(np.float32))
