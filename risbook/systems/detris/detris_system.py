"""DETRIS: adapters inside two frozen towers, of which the text tower runs first, and a mask head.

Densely connected parameter-efficient tuning for referring image segmentation (Huang et al., 2025),
and its released code, whose choices are the defaults. Three steps:

1. The text tower, with Text Adapters in some of its blocks, encodes the sentence without the image.
2. The image tower, with Dense Aligners in some of its blocks, reads the finished text tokens. Its
   features depend on the sentence from the first of these blocks on.
3. The mask head of ETRIS, whose neck here has a residual, fuses the maps of three stages.

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

import torch
from torch import Tensor, nn

from risbook.adapters.dense_placements import (
    DenseAlignerConfig,
    TextAdapterConfig,
    add_dense_aligners,
    add_text_adapters,
)
from risbook.adapters.peft.peft_notes import adapter_parameters
from risbook.config import Size, configuration
from risbook.decoder.mask_head import MaskHead, MaskHeadConfig
from risbook.errors import ArgumentError
from risbook.intermediates import NO_INTERMEDIATES, Intermediates
from risbook.synonyms import MASK_HEAD_HINTS
from risbook.systems.peft_system import PEFTSystem
from risbook.systems.system_preset import NO_INPUTS, BuildInputs
from risbook.systems.system_towers import PEFTSystemConfig, build_mask_head, build_towers
from risbook.tokenizers.interface import Tokenizer
from risbook.towers.features import ImageFeatures, TextFeatures
from risbook.towers.image_transformer import ImageTransformer
from risbook.towers.stages import StageContext, StagedImageTower, StagedTextTower, StagedTower
from risbook.towers.transformer_tower import TransformerTower

#: the group of the optimiser that holds the adapters of both towers
ADAPTERS = "adapters"


@configuration
class DETRISConfig(PEFTSystemConfig):
    """Sizes and choices of DETRIS; the defaults are the released ones for the B model.

    Args:
        aligner: the Dense Aligners in the image tower.
        text_adapter: the Text Adapters in the text tower.
        head: the mask head.
    """

    image_tower: str = "dinov2-vitb14"
    text_tower: str = "clip-vitb16-text"
    image_size: Size = 448
    max_tokens: Size = 17
    aligner: DenseAlignerConfig = DenseAlignerConfig()
    text_adapter: TextAdapterConfig = TextAdapterConfig()
    head: MaskHeadConfig = MaskHeadConfig(neck_options={"residual": True})


class DETRIS(PEFTSystem):
    """Frozen towers with adapters inside, and a mask head.

    Input are letterboxed images (B, 3, S, S) and token ids (B, L), output are mask logits, see
    `forward`.

    Args:
        image_tower: an image tower with its Dense Aligners; `build_detris` has added them.
        text_tower: a text tower with its Text Adapters.
        head: the mask head.
        tokenizer: the text tower's.
        config: the choices that the parts were made of; a checkpoint holds them.
    """

    config: DETRISConfig
    builds_adapters = True
    attribute_hints = MASK_HEAD_HINTS

    def __init__(
        self,
        image_tower: StagedImageTower,
        text_tower: StagedTextTower,
        head: MaskHead,
        *,
        tokenizer: Tokenizer,
        config: DETRISConfig,
    ) -> None:
        super().__init__(image_tower, text_tower, config=config, tokenizer=tokenizer)
        self.head = head
        self.add_unused_weights("text", logit_scale=torch.zeros(()))
        if isinstance(image_tower, ImageTransformer) and not image_tower.style.class_pos_embed:
            # DINOv2: the mask token of its pretraining, and the position embedding of the class
            # token, which the tower has as part of the class token, as timm does.
            dim = image_tower.embed_dim
            self.add_unused_weights(
                "image",
                mask_token=torch.zeros(1, dim),
                class_pos_embed=torch.zeros(1, 1, dim),
            )

    def forward(
        self, images: Tensor, token_ids: Tensor, *, intermediates: Intermediates = NO_INTERMEDIATES
    ) -> Tensor:
        """Mask logits.

        Args:
            images: letterboxed and normalised (B, 3, S, S); other sizes that the tower tiles work
                as well.
            token_ids: (B, L).
            intermediates: gets what both towers record, below "image_tower" and "text_tower", and
                what `MaskHead` records.

        Returns:
            (B, 1, 4 S / s, 4 S / s) with s the patch size.
        """
        image_features, text_features = self.encode(images, token_ids, intermediates=intermediates)
        logits: Tensor = self.head(image_features.maps, text_features, intermediates=intermediates)
        return logits

    def encode(
        self, images: Tensor, token_ids: Tensor, *, intermediates: Intermediates = NO_INTERMEDIATES
    ) -> tuple[ImageFeatures, TextFeatures]:
        """Run the text tower, and then the image tower on its result.

        Returns:
            Three maps (B, C, h, w) for the neck, and the features of the sentences.
        """
        text_features: TextFeatures = self.text_tower(
            token_ids, intermediates=intermediates.sub("text_tower")
        )
        context = StageContext(text_features.text_tokens, text_features.key_padding_mask)
        image_features: ImageFeatures = self.image_tower(
            images, context=context, intermediates=intermediates.sub("image_tower")
        )
        return image_features, text_features

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """The tuned adapters of both towers; their released learning rate is that of the head."""
        adapters: list[nn.Parameter] = []
        for tower in self.towers.values():
            adapters += adapter_parameters(tower).values()
        return {ADAPTERS: [parameter for parameter in adapters if parameter.requires_grad]}


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
        image_tower = _check_blocks(towers.image, "aligner")
        add_dense_aligners(image_tower, config.aligner, text_dim=towers.text.embed_dim)
    if config.text_adapter.blocks:
        add_text_adapters(_check_blocks(towers.text, "text_adapter"), config.text_adapter)
    return DETRIS(
        towers.image,
        towers.text,
        build_mask_head(config.head, towers),
        tokenizer=towers.tokenizer,
        config=config,
    )


def _check_blocks(tower: StagedTower, field: str) -> TransformerTower:
    """The tower, if it has blocks for adapters."""
    if not isinstance(tower, TransformerTower):
        raise ArgumentError(
            f"{type(tower).__name__} has no transformer blocks for the adapters of {field}; "
            f"choose another tower, or set {field}.blocks to []"
        )
    return tower
