"""Sizes of recorded models, read from the shapes of their weights.

Numbers of heads leave no trace in the weights; they are those that the READMEs of the recordings
name.
"""

from collections.abc import Mapping
from typing import Any

from parity import Recording, below
from torch import Tensor

Weights = Mapping[str, Tensor]


def count_blocks(weights: Weights, prefix: str) -> int:
    """How many numbered parts the names below a prefix speak of."""
    return len({key.split(".")[0] for key in below(weights, prefix)})


def side_of(pos_embed: Tensor) -> int:
    """Side of the square grid of a position embedding with one more row for the class token."""
    return round((len(pos_embed) - 1) ** 0.5)


def resnet_sizes(weights: Weights) -> dict[str, Any]:
    """Arguments of `CLIPResNet`, from the weights below "visual." under OpenAI's names."""
    width = len(weights["layer1.0.conv1.weight"])
    return {
        "layers": tuple(count_blocks(weights, f"layer{number}.") for number in range(1, 5)),
        "width": width,
        "output_dim": len(weights["attnpool.c_proj.bias"]),
        "num_heads": width * 32 // 64,  # CLIP's rule: 64 channels per head
        "pos_grid": side_of(weights["attnpool.positional_embedding"]),
    }


def vit_sizes(weights: Weights, *, num_heads: int) -> dict[str, Any]:
    """Arguments of `ImageTransformer`, from the weights below "visual." under OpenAI's names."""
    return {
        "style": "clip",
        "embed_dim": len(weights["class_embedding"]),
        "depth": count_blocks(weights, "transformer.resblocks."),
        "num_heads": num_heads,
        "patch_size": weights["conv1.weight"].shape[-1],
        "pos_grid": side_of(weights["positional_embedding"]),
        "output_dim": weights["proj"].shape[1],
    }


def text_sizes(weights: Weights, *, num_heads: int) -> dict[str, Any]:
    """Arguments of `TextTransformer`, from weights under OpenAI's names."""
    vocab_size, embed_dim = weights["token_embedding.weight"].shape
    return {
        "vocab_size": vocab_size,
        "embed_dim": embed_dim,
        "depth": count_blocks(weights, "transformer.resblocks."),
        "num_heads": num_heads,
        "context_length": len(weights["positional_embedding"]),
        "output_dim": weights["text_projection"].shape[1],
    }


def etris_tower_sizes(file: Recording) -> tuple[dict[str, Any], dict[str, Any]]:
    """Arguments of the image tower and of the text tower of a recorded small ETRIS."""
    visual = file.below("w.backbone.visual.")
    resnet = any(key.startswith("layer1.") for key in visual)
    image = resnet_sizes(visual) if resnet else vit_sizes(visual, num_heads=3)
    return image, text_sizes(file.below("w.backbone."), num_heads=2)


def etris_overrides(file: Recording) -> dict[str, Any]:
    """The configuration of a recorded small ETRIS, as overrides of the released one."""
    weights = file.below("w.")
    return {
        "image_size": file["in.img"].shape[-1],
        "max_tokens": file["in.word"].shape[1],
        "bridger.dim": len(weights["bridger.linear1.0.bias"]),
        "bridger.num_heads": 2,
        "bridger.dropout": 0.0,
        "head.dim": len(weights["neck.txt_proj.weight"]),
        "head.num_layers": count_blocks(weights, "decoder.layers."),
        "head.num_heads": 4,
        "head.ffn_dim": len(weights["decoder.layers.0.ffn.0.weight"]),
        "head.projector_dim": len(weights["proj.vis.4.bias"]),
        "head.dropout": 0.0,
    }
