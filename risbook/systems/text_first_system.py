"""Systems whose text tower runs first: the adapters of the image tower read the finished text.

DETRIS (Huang et al., 2025) and MiCA (Li et al., 2026) are such systems. Three steps:

1. The text tower, with adapters in some of its blocks, encodes the sentence without the image.
2. The image tower, with adapters in some of its blocks, reads the finished text tokens. Its
   features depend on the sentence from the first of these blocks on.
3. The mask head of ETRIS, whose neck here has a residual, fuses the maps of three stages.

The systems differ in their adapters alone, which their builders put into the towers.
"""

import torch
from torch import Tensor, nn

from risbook.adapters.peft.peft_notes import adapter_parameters
from risbook.config import Size, configuration
from risbook.decoder.mask_head import MaskHead, MaskHeadConfig
from risbook.errors import ArgumentError
from risbook.intermediates import NO_INTERMEDIATES, Intermediates
from risbook.synonyms import MASK_HEAD_HINTS
from risbook.systems.peft_system import PEFTSystem
from risbook.systems.system_towers import PEFTSystemConfig
from risbook.tokenizers.interface import Tokenizer
from risbook.towers.features import ImageFeatures, TextFeatures
from risbook.towers.image_transformer import ImageTransformer
from risbook.towers.stages import StageContext, StagedImageTower, StagedTextTower, StagedTower
from risbook.towers.transformer_tower import TransformerTower

#: the group of the optimiser that holds the adapters of both towers
ADAPTERS = "adapters"


@configuration
class TextFirstConfig(PEFTSystemConfig):
    """What the configurations of these systems share; the defaults are those of the B models.

    Args:
        head: the mask head.
    """

    image_tower: str = "dinov2-vitb14"
    text_tower: str = "clip-vitb16-text"
    image_size: Size = 448
    max_tokens: Size = 17
    head: MaskHeadConfig = MaskHeadConfig(neck_options={"residual": True})


class TextFirstSystem(PEFTSystem):
    """Frozen towers with adapters inside, and a mask head.

    Input are letterboxed images (B, 3, S, S) and token ids (B, L), output are mask logits, see
    `forward`.

    Args:
        image_tower: an image tower with its adapters; the builder has added them.
        text_tower: a text tower with its adapters.
        head: the mask head.
        tokenizer: the text tower's.
        config: the choices that the parts were made of; a checkpoint holds them.
    """

    builds_adapters = True
    attribute_hints = MASK_HEAD_HINTS

    def __init__(
        self,
        image_tower: StagedImageTower,
        text_tower: StagedTextTower,
        head: MaskHead,
        *,
        tokenizer: Tokenizer,
        config: TextFirstConfig,
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

    @property
    def shares_images(self) -> bool:  # type: ignore[override]
        """Whether the image tower runs once per image below its first adapter."""
        return self.image_tower.shares_images

    def forward(
        self,
        images: Tensor,
        token_ids: Tensor | TextFeatures,
        *,
        image_index: Tensor | None = None,
        intermediates: Intermediates = NO_INTERMEDIATES,
    ) -> Tensor:
        """Mask logits.

        Args:
            images: letterboxed and normalised (B, 3, S, S); other sizes that the tower tiles work
                as well.
            token_ids: (B, L), or what `encode_text` made of them.
            image_index: the image of each sentence where there are fewer images, see
                `System.__call__`.
            intermediates: gets what both towers record, below "image_tower" and "text_tower", and
                what `MaskHead` records.

        Returns:
            (B, 1, 4 S / s, 4 S / s) with s the patch size.
        """
        image_features, text_features = self.encode(
            images, token_ids, image_index=image_index, intermediates=intermediates
        )
        logits: Tensor = self.head(image_features.maps, text_features, intermediates=intermediates)
        return logits

    def encode(
        self,
        images: Tensor,
        token_ids: Tensor | TextFeatures,
        *,
        image_index: Tensor | None = None,
        intermediates: Intermediates = NO_INTERMEDIATES,
    ) -> tuple[ImageFeatures, TextFeatures]:
        """Run the text tower, and then the image tower on its result.

        Returns:
            Three maps (B, C, h, w) for the neck, and the features of the sentences.
        """
        if isinstance(token_ids, TextFeatures):
            text_features = token_ids
        else:
            of_text = intermediates.sub("text_tower")
            text_features = self.encode_text(token_ids, intermediates=of_text)
        context = StageContext(
            text_features.text_tokens, text_features.key_padding_mask, image_index=image_index
        )
        image_features: ImageFeatures = self.image_tower(
            images, context=context, intermediates=intermediates.sub("image_tower")
        )
        maps = tuple(context.per_sentence(feature_map) for feature_map in image_features.maps)
        return ImageFeatures(maps=maps, strides=image_features.strides), text_features

    def encode_text(
        self, token_ids: Tensor, *, intermediates: Intermediates = NO_INTERMEDIATES
    ) -> TextFeatures:
        """Run the text tower on token ids (B, L)."""
        text_features: TextFeatures = self.text_tower(token_ids, intermediates=intermediates)
        return text_features

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """The tuned adapters of both towers; their released learning rate is that of the head."""
        adapters: list[nn.Parameter] = []
        for tower in self.towers.values():
            adapters += adapter_parameters(tower).values()
        return {ADAPTERS: [parameter for parameter in adapters if parameter.requires_grad]}


def check_blocks(tower: StagedTower, *fields: str) -> TransformerTower:
    """The tower, if it has blocks for the adapters of these fields of a configuration.

    Raises:
        ArgumentError: if it has none.
    """
    if not isinstance(tower, TransformerTower):
        raise ArgumentError(
            f"{type(tower).__name__} has no transformer blocks for the adapters of "
            f"{' and '.join(fields)}; choose another tower, or set "
            f"{' and '.join(f'{field}.blocks' for field in fields)} to []"
        )
    return tower
