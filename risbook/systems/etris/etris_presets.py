"""The presets of ETRIS."""

from dataclasses import replace

from risbook.adapters.bridger import BridgerConfig
from risbook.decoder.mask_head import MINI_HEAD
from risbook.systems.etris.etris_system import ETRISConfig, build_etris
from risbook.systems.etris.rename_etris import RELEASED_ETRIS
from risbook.systems.old_checkpoints import old_etris_keys
from risbook.systems.system_preset import SystemPreset

# A run of an hour underfits, so the small ones have no dropout.
_MINI = ETRISConfig(
    image_tower="clip-mini-image",
    text_tower="clip-mini-text",
    image_size=96,
    max_tokens=24,
    bridger=BridgerConfig(dim=32, num_heads=4, dropout=0.0),
    head=MINI_HEAD,
)

_CONFIGS = {
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

ETRIS_PRESETS = {
    name: SystemPreset(
        summary, config, build_etris, old_keys=old_etris_keys, released=RELEASED_ETRIS
    )
    for name, (summary, config) in _CONFIGS.items()
}
