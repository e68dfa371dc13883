"""Helpers of the parity tests of DETRIS: the recorded small model, and official names."""

from collections.abc import Mapping
from typing import Any

from parity import Recording, below
from recorded_sizes import count_blocks, text_sizes
from torch import Tensor

from risbook.config import with_overrides
from risbook.systems.detris import DETRIS, DETRISConfig, build_detris
from risbook.systems.detris.rename_detris import rename_detris
from risbook.systems.system_preset import BuildInputs
from risbook.tokenizers.interface import ShapeOnlyTokenizer
from risbook.towers.image_transformer import ImageTransformer
from risbook.towers.text_transformer import TextTransformer

#: numbers of heads, which leave no trace in the weights: the README of the recordings names them
NUM_HEADS = 4

Weights = Mapping[str, Tensor]


def adapter_overrides(weights: Weights, prefix: str) -> dict[str, Any]:
    """Blocks and bottleneck of the adapters below ``prefix``, the blocks of a tower."""
    layers = {k: v for k, v in below(weights, prefix).items() if k.endswith("adapter.D_fc1.weight")}
    widths = {len(value) for value in layers.values()}
    assert len(widths) == 1
    return {
        "blocks": tuple(sorted(int(name.split(".")[0]) for name in layers)),
        "bottleneck_dim": widths.pop(),
    }


def detris_overrides(file: Recording) -> dict[str, Any]:
    """The configuration of the recorded small DETRIS, as overrides of the released one."""
    weights = file.below("sd/")
    aligner = adapter_overrides(weights, "dinov2.blocks.")
    text_adapter = adapter_overrides(weights, "txt_backbone.transformer.resblocks.")
    block = aligner["blocks"][0]
    return {
        "image_size": file["in/img"].shape[-1],
        "max_tokens": file["in/word"].shape[1],
        "image_out_indices": (1, 2, 3),
        **{f"aligner.{name}": value for name, value in aligner.items()},
        "aligner.attn_dim": len(weights[f"dinov2.blocks.{block}.adapter.cross.text_proj.bias"]),
        "aligner.num_heads": NUM_HEADS,
        "aligner.dropout": 0.0,
        **{f"text_adapter.{name}": value for name, value in text_adapter.items()},
        "head.dim": len(weights["neck.txt_proj.weight"]),
        "head.num_layers": count_blocks(weights, "decoder.layers."),
        "head.num_heads": NUM_HEADS,
        "head.ffn_dim": len(weights["decoder.layers.0.ffn.0.weight"]),
        "head.projector_dim": len(weights["proj.vis.4.bias"]),
        "head.dropout": 0.0,
    }


def tower_sizes(file: Recording) -> tuple[dict[str, Any], dict[str, Any]]:
    """Arguments of the image tower and of the text tower of the recorded small DETRIS."""
    weights = file.below("sd/dinov2.")
    pos_embed = weights["pos_embed"]
    image = {
        "style": "dinov2",
        "embed_dim": pos_embed.shape[2],
        "depth": count_blocks(weights, "blocks."),
        "num_heads": NUM_HEADS,
        "patch_size": weights["patch_embed.proj.weight"].shape[-1],
        "pos_grid": round((pos_embed.shape[1] - 1) ** 0.5),
        "num_registers": weights["register_tokens"].shape[1],
    }
    return image, text_sizes(file.below("sd/txt_backbone."), num_heads=NUM_HEADS)


def recorded_detris(overrides: Mapping[str, Any] | None = None) -> tuple[DETRIS, Recording]:
    """The recorded small DETRIS with its weights, and the file."""
    file = Recording("detris/full_small.npz")
    config = with_overrides(DETRISConfig(), detris_overrides(file) | dict(overrides or {}))
    image_sizes, sizes_of_text = tower_sizes(file)
    inputs = BuildInputs(
        image_tower=ImageTransformer(**image_sizes),
        text_tower=TextTransformer(**sizes_of_text),
        tokenizer=ShapeOnlyTokenizer(config.max_tokens),
    )
    system = build_detris(config, inputs)
    system.load_state_dict(rename_detris(file.below("sd/")), strict=True)
    return system.eval(), file


def our_names(official: Weights) -> dict[str, str]:
    """From the official name of an entry to ours, for entries whose values stay as they are."""
    ours = {id(value): name for name, value in rename_detris(official).items()}
    return {name: ours[id(value)] for name, value in official.items() if id(value) in ours}
