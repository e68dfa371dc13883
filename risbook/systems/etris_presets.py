"""The presets of ETRIS, and the names that its configuration fields had in earlier versions."""

from dataclasses import replace
from typing import Any

from risbook.adapters.bridger import BridgerConfig
from risbook.config import Aliases
from risbook.decoder.mask_head import MaskHeadConfig
from risbook.systems.etris import ETRISConfig

# A run of an hour underfits, so the small ones have no dropout.
_MINI = ETRISConfig(
    image_tower="clip-mini-image",
    text_tower="clip-mini-text",
    image_size=96,
    max_tokens=24,
    bridger=BridgerConfig(dim=32, num_heads=4, dropout=0.0),
    head=MaskHeadConfig(dim=128, num_heads=2, ffn_dim=128, projector_dim=32, dropout=0.0),
)

#: a line of help and the configuration of each preset
ETRIS_CONFIGS: dict[str, tuple[str, ETRISConfig]] = {
    "etris-mini": ("ETRIS on the small CLIP pair", _MINI),
    "etris-mini-rn": (
        "ETRIS on the small CLIP ResNet",
        replace(_MINI, image_tower="clip-mini-rn-image", image_size=192),
    ),
    "etris-rn50": ("ETRIS as released, CLIP RN50, 416 pixels", ETRISConfig()),
    "etris-rn101": (
        "ETRIS as released, CLIP RN101, 416 pixels",
        ETRISConfig(image_tower="clip-rn101-image", text_tower="clip-rn101-text"),
    ),
    "etris-vitb16": (
        "ETRIS as released, CLIP ViT-B/16, 416 pixels",
        ETRISConfig(
            image_tower="clip-vitb16-image",
            text_tower="clip-vitb16-text",
            bridger=BridgerConfig(num_heads=8),
        ),
    ),
}


def _out_indices(last_blocks: Any) -> dict[str, Any]:
    out_indices = [block - 1 for block in last_blocks]  # blocks were counted from 1
    return {"image_out_indices": out_indices, "text_out_indices": out_indices}


def _text_input(decoder_reads: Any) -> dict[str, Any]:
    return {"head.text_input": "tokens" if decoder_reads == "words" else decoder_reads}


def _dropout(dropout: Any) -> dict[str, Any]:
    return {"bridger.dropout": dropout, "head.dropout": dropout}


def _adapter_options(tuning_options: Any) -> dict[str, Any]:
    names = {"hidden": "bottleneck_dim"}
    return {"adapter_options": {names.get(k, k): v for k, v in dict(tuning_options).items()}}


ETRIS_OLD_KEYS: Aliases = {
    "word_length": "max_tokens",
    "stages": "bridger.stages",
    "stage_ends": _out_indices,
    "bridger_width": "bridger.dim",
    "bridger_heads": "bridger.num_heads",
    "bridger_hidden": "bridger.ffn_dim",
    "interactor": "bridger.interactor",
    "zoom": "bridger.zoom",
    "link": "bridger.link",
    "mask_padding": "bridger.key_padding_mask",
    "neck": "head.neck",
    "decoder_width": "head.dim",
    "decoder_layers": "head.num_layers",
    "decoder_reads": _text_input,
    "decoder_heads": "head.num_heads",
    "decoder_hidden": "head.ffn_dim",
    "projector_width": "head.projector_dim",
    "dropout": _dropout,
    "position_tables": "train_pos_embed",
    "fixed_statistics": "norm_eval",
    "image_tuning": "image_adapter",
    "text_tuning": "text_adapter",
    "tuning_options": _adapter_options,
}
