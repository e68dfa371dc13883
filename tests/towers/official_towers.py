"""Helpers of the parity tests: recorded weights into our towers, and the recorded adapters."""

import re
from collections.abc import Mapping, Sequence

import torch.nn.functional as F
from parity import below
from recorded_sizes import text_sizes, vit_sizes
from torch import Tensor

from risbook.adapters.dense_aligner import DenseAligner
from risbook.adapters.dense_placements import AlignerPlacement, TextAdapterPlacement
from risbook.adapters.rename_detris_adapters import rename_detris_adapters
from risbook.adapters.text_adapter import TextAdapter
from risbook.towers.image_transformer import ImageTransformer
from risbook.towers.text_transformer import TextTransformer

Weights = Mapping[str, Tensor]

LEAVES = ("weight", "bias")

#: OpenAI's names of a text tower and those of `TextTransformer`; `attn.in_proj_*` come separately.
TEXT_NAMES = {
    "positional_embedding": "text.embeddings.position_embedding.weight",
    "token_embedding.weight": "text.embeddings.token_embedding.weight",
    "ln_final.weight": "text.final_layer_norm.weight",
    "ln_final.bias": "text.final_layer_norm.bias",
    "text_projection": "projection",
}
TEXT_BLOCK = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "attn.out_proj": "self_attn.out_proj",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}
CLIP_BLOCK = {
    "ln_1": "norm1",
    "ln_2": "norm2",
    "attn.out_proj": "attn.proj",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}


def blocks_of(weights: Weights, prefix: str) -> list[dict[str, Tensor]]:
    """The weights of each block, adapters left out."""
    numbers = {int(m[1]) for key in weights if (m := re.match(re.escape(prefix) + r"(\d+)\.", key))}
    assert numbers == set(range(len(numbers)))
    return [without_adapters(below(weights, f"{prefix}{number}.")) for number in sorted(numbers)]


def without_adapters(block: Weights) -> dict[str, Tensor]:
    """The weights that the block had before it was adapted."""
    return {
        key: value
        for key, value in block.items()
        if not key.startswith(("adapter.", "serial_adapter.", "parallel_v2_adapter.", "ls_gate."))
    }


def rename_text_block(block: Weights, to: str) -> dict[str, Tensor]:
    """One block of OpenAI's text tower under transformers' names."""
    renamed = {}
    for key, value in block.items():
        part, leaf = key.rsplit(".", 1)
        if leaf.startswith("in_proj_"):
            for name, third in zip(("q_proj", "k_proj", "v_proj"), value.chunk(3), strict=True):
                renamed[f"{to}self_attn.{name}.{leaf.removeprefix('in_proj_')}"] = third
        else:
            renamed[f"{to}{TEXT_BLOCK[part]}.{leaf}"] = value
    return renamed


def text_tower(weights: Weights, *, heads: int) -> TextTransformer:
    """A text tower with recorded weights; `weights` has OpenAI's names."""
    blocks = blocks_of(weights, "transformer.resblocks.")
    tower = TextTransformer(**text_sizes(weights, num_heads=heads))
    state = {ours: weights[theirs] for theirs, ours in TEXT_NAMES.items()}
    for number, block in enumerate(blocks):
        state |= rename_text_block(block, f"text.encoder.layers.{number}.")
    tower.load_state_dict(state, strict=True)
    return tower.eval().requires_grad_(False)


def clip_tower(weights: Weights, *, heads: int) -> ImageTransformer:
    """A CLIP image tower with recorded weights; `weights` has OpenAI's names."""
    blocks = blocks_of(weights, "transformer.resblocks.")
    tower = ImageTransformer(**vit_sizes(weights, num_heads=heads))
    state = {
        "projection": weights["proj"],
        "vit.cls_token": weights["class_embedding"][None, None],
        "vit.pos_embed": weights["positional_embedding"][None],
        "vit.patch_embed.proj.weight": weights["conv1.weight"],
    }
    for theirs, ours in (("ln_pre", "vit.norm_pre"), ("ln_post", "vit.norm")):
        state |= {f"{ours}.{leaf}": weights[f"{theirs}.{leaf}"] for leaf in LEAVES}
    for number, block in enumerate(blocks):
        for key, value in block.items():
            part, leaf = key.rsplit(".", 1)
            if leaf.startswith("in_proj_"):
                name = f"attn.qkv.{leaf.removeprefix('in_proj_')}"
            else:
                name = f"{CLIP_BLOCK[part]}.{leaf}"
            state[f"vit.blocks.{number}.{name}"] = value
    tower.load_state_dict(state, strict=True)
    return tower.eval().requires_grad_(False)


def dinov2_tower(weights: Weights, *, heads: int, out_indices: Sequence[int]) -> ImageTransformer:
    """A DINOv2 tower with recorded weights; `weights` has DINOv2's names."""
    blocks = blocks_of(weights, "blocks.")
    table = weights["pos_embed"]
    tower = ImageTransformer(
        style="dinov2",
        embed_dim=table.shape[2],
        depth=len(blocks),
        num_heads=heads,
        patch_size=weights["patch_embed.proj.weight"].shape[-1],
        pos_grid=round((table.shape[1] - 1) ** 0.5),
        num_registers=weights["register_tokens"].shape[1],
        out_indices=out_indices,
    )
    state = {
        # timm keeps no row for the class token: its place is part of the token itself
        "vit.cls_token": weights["cls_token"] + table[:, :1],
        "vit.pos_embed": table[:, 1:],
        "vit.reg_token": weights["register_tokens"],
        **{f"vit.{key}": weights[key] for key in ("norm.weight", "norm.bias")},
        **{f"vit.patch_embed.proj.{k}": weights[f"patch_embed.proj.{k}"] for k in LEAVES},
    }
    for number, block in enumerate(blocks):
        state |= dinov2_block(block, f"vit.blocks.{number}.")
    tower.load_state_dict(state, strict=True)
    return tower.eval().requires_grad_(False)


def dinov2_block(block: Weights, to: str) -> dict[str, Tensor]:
    """One DINOv2 block under timm's names, which are the same.

    Some kits recorded an MLP of less than four times the width; hidden units without weights
    fill it up and change nothing.
    """
    names = ("norm1", "attn.qkv", "attn.proj", "norm2", "mlp.fc1", "mlp.fc2")
    wanted = {f"{name}.{leaf}" for name in names for leaf in LEAVES}
    assert set(block) == wanted | {"ls1.gamma", "ls2.gamma"}
    state = {f"{to}{key}": value for key, value in block.items()}
    missing = 4 * block["mlp.fc1.weight"].shape[1] - block["mlp.fc1.weight"].shape[0]
    for key, fill in (
        ("fc1.weight", (0, 0, 0, missing)),
        ("fc1.bias", (0, missing)),
        ("fc2.weight", (0, missing)),
    ):
        state[f"{to}mlp.{key}"] = F.pad(block[f"mlp.{key}"], fill)
    return state


def recorded_aligner(weights: Weights, *, num_heads: int) -> AlignerPlacement:
    """A recorded Dense Aligner of DETRIS, in its place."""
    bottleneck_dim, dim = weights["D_fc1.weight"].shape
    attn_dim, text_dim = weights["cross.text_proj.weight"].shape
    aligner = DenseAligner(
        dim=dim,
        text_dim=text_dim,
        bottleneck_dim=bottleneck_dim,
        attn_dim=attn_dim,
        num_heads=num_heads,
    )
    aligner.load_state_dict(rename_detris_adapters(weights), strict=True)
    return AlignerPlacement(aligner.eval().requires_grad_(False))


def recorded_text_adapter(weights: Weights) -> TextAdapterPlacement:
    """A recorded Text Adapter of DETRIS or TALENT, in its place."""
    bottleneck_dim, dim = weights["D_fc1.weight"].shape
    adapter = TextAdapter(dim=dim, bottleneck_dim=bottleneck_dim)
    adapter.load_state_dict(rename_detris_adapters(weights), strict=True)
    return TextAdapterPlacement(adapter.eval().requires_grad_(False))
