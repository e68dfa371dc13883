"""The presets of MiCA."""

from dataclasses import replace

from risbook.adapters.mica_options import CAAConfig, GLiAConfig, TextMiCAConfig
from risbook.decoder.mask_head import MINI_HEAD
from risbook.systems.mica.mica_system import MiCAConfig, build_mica
from risbook.systems.mica.rename_mica import RELEASED_MICA
from risbook.systems.system_preset import SystemPreset

# A run of an hour underfits, so the small ones have no dropout.
_MINI = MiCAConfig(
    image_tower="dinov2-mini",
    text_tower="clip-mini-40k-text",
    image_size=96,
    max_tokens=24,
    glia=GLiAConfig(bottleneck_dim=32, dropout=0.0),
    caa=CAAConfig(bottleneck_dim=32, attn_dim=32, num_heads=4, dropout=0.0, film_projected=True),
    text_glia=TextMiCAConfig(blocks=(1, 5, 9), bottleneck_dim=32, dropout=0.0),
    text_caa=TextMiCAConfig(blocks=(3, 7, 11), bottleneck_dim=32, dropout=0.0),
    head=replace(MINI_HEAD, neck_options={"residual": True}),
)

_CONFIGS = {
    "mica-mini": ("MiCA on the small DINOv2 and the small CLIP text tower", _MINI),
    "mica-s": (
        "MiCA on the real DINOv2-S and the small CLIP text tower, 168 pixels",
        replace(
            _MINI,
            image_tower="dinov2-s",
            image_size=168,
            glia=replace(_MINI.glia, bottleneck_dim=64),
            caa=replace(_MINI.caa, bottleneck_dim=64, attn_dim=64),
        ),
    ),
    "mica-b": ("MiCA as released for RefCOCO, DINOv2-B, 448 pixels", MiCAConfig()),
    "mica-b-reconstructed": (
        "MiCA, our reconstruction of the 1.93 % that its paper gives, DINOv2-B, 448 pixels",
        MiCAConfig(caa=CAAConfig(film_projected=True)),
    ),
}

MICA_PRESETS = {
    name: SystemPreset(summary, config, build_mica, released=RELEASED_MICA)
    for name, (summary, config) in _CONFIGS.items()
}
