"""The presets of DETRIS."""

from dataclasses import replace

from risbook.adapters.dense_placements import DenseAlignerConfig, TextAdapterConfig
from risbook.decoder.mask_head import MINI_HEAD
from risbook.systems.detris.detris_system import DETRISConfig, build_detris
from risbook.systems.detris.rename_detris import RELEASED_DETRIS
from risbook.systems.system_preset import SystemPreset

_LARGE = DETRISConfig(
    image_tower="dinov2-vitl14",
    aligner=DenseAlignerConfig(blocks=(2, 6, 10, 14, 18, 22)),
)

# A run of an hour underfits, so the small ones have no dropout.
_MINI = DETRISConfig(
    image_tower="dinov2-mini",
    text_tower="clip-mini-40k-text",
    image_size=96,
    max_tokens=24,
    aligner=DenseAlignerConfig(bottleneck_dim=32, attn_dim=32, num_heads=4, dropout=0.0),
    text_adapter=TextAdapterConfig(bottleneck_dim=32),
    head=replace(MINI_HEAD, neck_options={"residual": True}),
)

_CONFIGS = {
    "detris-mini": ("DETRIS on the small DINOv2 and the small CLIP text tower", _MINI),
    "detris-s": (
        "DETRIS on the real DINOv2-S and the small CLIP text tower, 168 pixels",
        replace(
            _MINI,
            image_tower="dinov2-s",
            image_size=168,
            aligner=replace(_MINI.aligner, bottleneck_dim=64, attn_dim=64),
        ),
    ),
    "detris-b": ("DETRIS as released, DINOv2-B, 448 pixels", DETRISConfig()),
    "detris-l": ("DETRIS as released, DINOv2-L, 448 pixels", _LARGE),
    "detris-l-mixed": (
        "DETRIS as released for all sets together, DINOv2-L, 448 pixels",
        replace(
            _LARGE,
            aligner=DenseAlignerConfig(blocks=tuple(range(1, 24)), bottleneck_dim=384),
            text_adapter=TextAdapterConfig(blocks=tuple(range(1, 12)), bottleneck_dim=384),
        ),
    ),
}

DETRIS_PRESETS = {
    name: SystemPreset(summary, config, build_detris, released=RELEASED_DETRIS)
    for name, (summary, config) in _CONFIGS.items()
}
