"""Weights of our towers under the names that OpenAI and Meta publish, written for tests alone."""

import re
from collections.abc import Mapping

import torch
from torch import Tensor

State = Mapping[str, Tensor]

_VIT_BLOCK = {"norm1": "ln_1", "norm2": "ln_2", "attn.proj": "attn.out_proj"}
_TEXT_BLOCK = {"layer_norm1": "ln_1", "layer_norm2": "ln_2", "self_attn.out_proj": "attn.out_proj"}
_MLP = {"mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj"}
_CONVS = {"conv1_1x1": "1", "conv2_kxk": "2", "conv3_1x1": "3"}


def openai_state(state: State) -> dict[str, Tensor]:
    """An `ImageTransformer` with CLIP's design, a `CLIPResNet` or a `TextTransformer`."""
    if "vit.cls_token" in state:
        return dict(_vit_entry(name, value) for name, value in state.items())
    if "body.stem.conv1.conv.weight" in state:
        return {_resnet_name(name): value for name, value in state.items()}
    return _text_state(state)


def meta_state(state: State) -> dict[str, Tensor]:
    """An `ImageTransformer` with DINOv2's design; the class token has a position of zeros."""
    published = {name.removeprefix("vit."): value for name, value in state.items()}
    published["register_tokens"] = published.pop("reg_token")
    published["mask_token"] = published["cls_token"][0]
    no_position = torch.zeros_like(published["cls_token"])
    published["pos_embed"] = torch.cat([no_position, published["pos_embed"]], dim=1)
    return published


def _vit_entry(name: str, value: Tensor) -> tuple[str, Tensor]:
    whole = {
        "vit.cls_token": ("visual.class_embedding", value.squeeze()),
        "vit.pos_embed": ("visual.positional_embedding", value.squeeze(0)),
        "vit.patch_embed.proj.weight": ("visual.conv1.weight", value),
        "projection": ("visual.proj", value),
    }
    if name in whole:
        return whole[name]
    _, part, rest = name.split(".", 2)
    if part in ("norm_pre", "norm"):
        return f"visual.{ {'norm_pre': 'ln_pre', 'norm': 'ln_post'}[part] }.{rest}", value
    number, module, leaf = re.fullmatch(r"(\d+)\.(.+)\.(\w+)", rest).groups()  # type: ignore[union-attr]
    block = f"visual.transformer.resblocks.{number}"
    if module == "attn.qkv":
        return f"{block}.attn.in_proj_{leaf}", value
    return f"{block}.{(_VIT_BLOCK | _MLP)[module]}.{leaf}", value


def _resnet_name(name: str) -> str:
    if name.startswith("attention_pool."):
        return name.replace("attention_pool", "visual.attnpool")
    if match := re.fullmatch(r"body\.stem\.conv(\d)\.(conv|bn)\.(\w+)", name):
        return f"visual.{match[2]}{match[1]}.{match[3]}"
    _, _, stage, number, layer, *_, kind, leaf = name.split(".")
    block = f"visual.layer{int(stage) + 1}.{number}"
    if layer == "shortcut":
        return f"{block}.downsample.{'0' if kind == 'conv' else '1'}.{leaf}"
    return f"{block}.{kind}{_CONVS[layer]}.{leaf}"


def _text_state(state: State) -> dict[str, Tensor]:
    published = {
        "token_embedding.weight": state["text.embeddings.token_embedding.weight"],
        "positional_embedding": state["text.embeddings.position_embedding.weight"],
        "ln_final.weight": state["text.final_layer_norm.weight"],
        "ln_final.bias": state["text.final_layer_norm.bias"],
        "text_projection": state["projection"],
    }
    for name in state:
        match = re.fullmatch(r"text\.encoder\.layers\.(\d+)\.(.+)\.(weight|bias)", name)
        if match is None:
            continue
        block = f"transformer.resblocks.{match[1]}"
        if match[2] == "self_attn.q_proj":
            parts = [state[name.replace("q_proj", f"{part}_proj")] for part in "qkv"]
            published[f"{block}.attn.in_proj_{match[3]}"] = torch.cat(parts)
        elif match[2] not in ("self_attn.k_proj", "self_attn.v_proj"):
            module = (_TEXT_BLOCK | _MLP)[match[2]]
            published[f"{block}.{module}.{match[3]}"] = state[name]
    return published
