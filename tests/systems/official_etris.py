"""Helpers of the parity tests of ETRIS: small models, what they compute, the drawing of weights."""

import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from parity import Recording, outputs_of
from recorded_sizes import etris_overrides, etris_tower_sizes
from torch import Tensor

from risbook.adapters.bridger import BridgerConfig
from risbook.config import with_overrides
from risbook.decoder.mask_head import MaskHeadConfig
from risbook.systems.etris import ETRIS, ETRISConfig, build_etris
from risbook.systems.etris.rename_etris import BRIDGER_PARTS, rename_etris
from risbook.systems.system_preset import BuildInputs
from risbook.tokenizers.interface import ShapeOnlyTokenizer
from risbook.towers.clip_resnet import CLIPResNet
from risbook.towers.image_transformer import ImageTransformer
from risbook.towers.text_transformer import TextTransformer

#: of the recorded small models
SMALL = ETRISConfig(
    image_size=64,
    max_tokens=7,
    bridger=BridgerConfig(dim=8, num_heads=2, dropout=0.0),
    head=MaskHeadConfig(dim=16, num_heads=4, ffn_dim=24, projector_dim=8, dropout=0.0),
)


def small_towers(*, resnet: bool) -> tuple[CLIPResNet | ImageTransformer, TextTransformer]:
    image: CLIPResNet | ImageTransformer
    if resnet:
        image = CLIPResNet(layers=(1, 2, 1, 1), width=4, output_dim=24, num_heads=2, pos_grid=3)
    else:
        image = ImageTransformer(
            style="clip",
            embed_dim=24,
            depth=12,
            num_heads=3,
            patch_size=8,
            pos_grid=4,
            output_dim=24,
        )
    text = TextTransformer(
        vocab_size=50, embed_dim=16, depth=12, num_heads=2, context_length=20, output_dim=24
    )
    return image, text


def small_etris(overrides: Mapping[str, Any] | None = None, *, resnet: bool) -> ETRIS:
    image_size = 64 if resnet else 32
    config = with_overrides(SMALL, {"image_size": image_size, **(overrides or {})})
    image_tower, text_tower = small_towers(resnet=resnet)
    tokenizer = ShapeOnlyTokenizer(config.max_tokens)
    return build_etris(
        config, BuildInputs(image_tower=image_tower, text_tower=text_tower, tokenizer=tokenizer)
    )


def build_recorded(file: Recording, overrides: Mapping[str, Any] | None = None) -> ETRIS:
    """A fresh ETRIS with the sizes of a recorded one."""
    image_sizes, text_sizes = etris_tower_sizes(file)
    image_class = CLIPResNet if "layers" in image_sizes else ImageTransformer
    config = with_overrides(ETRISConfig(), etris_overrides(file) | dict(overrides or {}))
    inputs = BuildInputs(
        image_tower=image_class(**image_sizes),
        text_tower=TextTransformer(**text_sizes),
        tokenizer=ShapeOnlyTokenizer(config.max_tokens),
    )
    return build_etris(config, inputs)


def recorded_etris(name: str, *, resnet: bool) -> tuple[ETRIS, Recording]:
    """A small ETRIS with the weights of a recorded file, and the file."""
    file = Recording(name)
    system = build_recorded(file)
    load(system, file.below("w."), resnet=resnet)
    return system.eval(), file


def load(system: ETRIS, official: dict[str, Tensor], *, resnet: bool) -> None:
    ours = rename_etris(official)
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
        theirs |= {
            f"backbone.visual.layer{n}": output for n, output in enumerate(image_runs, start=1)
        }
    else:
        theirs["backbone.visual.ln_pre"] = outputs["image_tower.vit.norm_pre"]
        theirs["backbone.visual.ln_post"] = outputs["image_tower.vit.norm"][:, 1:]
        for block, tokens in zip((3, 7, 11), image_runs, strict=True):
            name = f"backbone.visual.transformer.resblocks.{block}"
            theirs[name] = tokens.transpose(0, 1)
    for official, (ours, first_stage) in BRIDGER_PARTS.items():
        for stage in system.bridgers.stages:
            output = outputs.get(f"bridgers.stages.{stage}.{ours}")
            if output is not None:
                is_map = official.startswith("zoom")
                theirs[f"bridger.{official}.{int(stage) - first_stage}"] = (
                    output if is_map else output.transpose(0, 1)
                )
    theirs |= {"neck": outputs["head.neck"], "decoder": outputs["head.decoder"].flatten(2)}
    return logits, theirs | {"proj": outputs["head.projector"]}


def _runs_of(tower: Any) -> list[Tensor]:
    """The output of each of a tower's groups of blocks or layers, filled as it runs."""
    method = "forward_layer" if isinstance(tower, CLIPResNet) else "forward_blocks"
    run, runs = getattr(tower, method), []

    def spy(*arguments: Any, **options: Any) -> Tensor:
        runs.append(run(*arguments, **options))
        return runs[-1]

    setattr(tower, method, spy)
    return runs


def random_weight(name: str, shape: tuple[int, ...]) -> Tensor:
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
