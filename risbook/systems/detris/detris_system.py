"""DETRIS: adapters inside two frozen towers, of which the text tower runs first, and a mask head.

Densely connected parameter-efficient tuning for referring image segmentation (Huang et al., 2025),
and its released code, whose choices are the defaults. The text tower has Text Adapters in some of
its blocks, the image tower Dense Aligners; `risbook.systems.text_first_system` runs the towers.

The paper and the released code differ; for these options see `DenseAlignerConfig` and
`TextAdapterConfig`:

| field | released code (default) | paper |
|---|---|---|
| `aligner.wiring` | "released": after the norm, inside LayerScale | "figure": before the norm |
| `aligner.scale`, `text_adapter.scale` | 0.2 | 1.0 |
| `aligner.squeeze`, `text_adapter.squeeze` | True: 1x1 before 3x3 and 5x5 | False |
| `aligner.blocks`, `text_adapter.blocks` | every second of 12; every fourth of 24 | all |

The last column is what the architecture figure draws. Images are normalised as CLIP's, although the
image tower is a DINOv2.
"""

from risbook.adapters.dense_placements import (
    DenseAlignerConfig,
    TextAdapterConfig,
    add_dense_aligners,
    add_text_adapters,
)
from risbook.config import configuration
from risbook.systems.system_preset import NO_INPUTS, BuildInputs
from risbook.systems.system_towers import build_mask_head, build_towers
from risbook.systems.text_first_system import TextFirstConfig, TextFirstSystem, check_blocks


@configuration
class DETRISConfig(TextFirstConfig):
    """Sizes and choices of DETRIS; the defaults are the released ones for the B model.

    Args:
        aligner: the Dense Aligners in the image tower.
        text_adapter: the Text Adapters in the text tower.
        head: the mask head.
    """

    aligner: DenseAlignerConfig = DenseAlignerConfig()
    text_adapter: TextAdapterConfig = TextAdapterConfig()


class DETRIS(TextFirstSystem):
    """Frozen towers, Dense Aligners and Text Adapters inside, and a mask head.

    `build_detris` makes one; see `TextFirstSystem` for the arguments and the forward pass.
    """

    config: DETRISConfig


def build_detris(config: DETRISConfig, inputs: BuildInputs = NO_INPUTS) -> DETRIS:
    """Build DETRIS from a configuration.

    Args:
        config: sizes and choices.
        inputs: towers or a tokenizer to use in place of those that the configuration names.

    Raises:
        RisbookError: if sizes do not fit, a tower has no such blocks, or the weights of a tower are
            not available.
    """
    towers = build_towers(config, inputs)
    if config.aligner.blocks:
        image_tower = check_blocks(towers.image, "aligner")
        add_dense_aligners(image_tower, config.aligner, text_dim=towers.text.embed_dim)
    if config.text_adapter.blocks:
        add_text_adapters(check_blocks(towers.text, "text_adapter"), config.text_adapter)
    return DETRIS(
        towers.image,
        towers.text,
        build_mask_head(config.head, towers),
        tokenizer=towers.tokenizer,
        config=config,
    )
