"""ETRIS: two frozen CLIP towers, Bridgers between them after three stages, and a mask head.

Bridging vision and language encoders: parameter-efficient tuning for referring image segmentation
(Xu et al., 2023), and its released code. The two differ. The default of each field gives what the
released code does:

| field | released code (default) | paper |
|---|---|---|
| `bridger.link` | "inputs": the next Bridger gets what enters the interactors | "outputs" |
| `bridger.mask_padding` | False: padding takes part in the Bridgers | True |
| `bridger.interactor` | "auto": a product with a transformer | "full" |
| `head.text_input` | "tokens": the decoder attends to the text tokens | "sentence" |
| `image_out_indices`, `text_out_indices` | (): the tower's; CLIP (3, 7, 11) | (5, 8, 11) |
| `train_pos_embed` | True: position embeddings are tuned | False |
| `norm_eval` | False: a ResNet's batch norms follow the batches | True |

Of these, `out_indices` are the last blocks of a transformer's stages, counted from 0. The paper has
four groups of three blocks, and Bridgers after groups 2 to 4.

Left out are the paper's bias of D numbers in the Projector, and an attention pool without its
branch `connect`.
"""

import math
from functools import partial

import torch
from torch import Tensor, nn

from risbook.adapters.bridger import BridgerConfig, Bridgers
from risbook.config import Size, configuration
from risbook.decoder.mask_head import MaskHead, MaskHeadConfig
from risbook.intermediates import NO_INTERMEDIATES, Intermediates
from risbook.keyword_aliases import keyword_aliases
from risbook.synonyms import MASK_HEAD_HINTS
from risbook.systems.old_checkpoints import OLD_ETRIS_WEIGHTS
from risbook.systems.peft_system import PEFTSystem
from risbook.systems.system_preset import NO_INPUTS, BuildInputs
from risbook.systems.system_towers import PEFTSystemConfig, build_mask_head, build_towers
from risbook.tokenizers.interface import Tokenizer
from risbook.towers.stages import StagedImageTower, StagedTextTower

#: the part under which reports count the Bridgers
BRIDGERS = "bridgers"


@configuration
class ETRISConfig(PEFTSystemConfig):
    """Sizes and choices of ETRIS; the defaults are the released ones for RN50.

    The towers are CLIP's as in the paper, or others, such as "dinov2-mini".

    Args:
        bridger: the Bridgers.
        head: the mask head.
    """

    image_tower: str = "clip-rn50-image"
    text_tower: str = "clip-rn50-text"
    image_size: Size = 416
    max_tokens: Size = 17
    train_pos_embed: bool = True
    bridger: BridgerConfig = BridgerConfig()
    head: MaskHeadConfig = MaskHeadConfig()


class ETRIS(PEFTSystem):
    """Frozen towers with a Bridger after each stage and a mask head.

    Input are letterboxed images (B, 3, S, S) and token ids (B, L), output are mask logits, see
    `forward`.

    Args:
        image_tower: an image tower of three stages, frozen by `build_towers` or the caller.
        text_tower: a text tower of three stages, frozen as the image tower is.
        head: the mask head.
        bridgers: the Bridgers.
        tokenizer: the text tower's.
        config: the choices that the parts were made of; a checkpoint holds them.
    """

    config: ETRISConfig
    old_weights = OLD_ETRIS_WEIGHTS
    backbone_parts = (*PEFTSystem.backbone_parts, BRIDGERS)
    attribute_hints = MASK_HEAD_HINTS

    def __init__(
        self,
        image_tower: StagedImageTower,
        text_tower: StagedTextTower,
        head: MaskHead,
        *,
        bridgers: Bridgers,
        tokenizer: Tokenizer,
        config: ETRISConfig,
    ) -> None:
        super().__init__(image_tower, text_tower, config=config, tokenizer=tokenizer)
        self.add_unused_weights("text", logit_scale=torch.tensor(math.log(1 / 0.07)))
        self.bridgers = bridgers
        self.head = head

    @property
    def shares_images(self) -> bool:  # type: ignore[override]
        """Whether the image tower runs once per image up to the first Bridger or adapter."""
        return self.image_tower.shares_images

    def forward(
        self,
        images: Tensor,
        token_ids: Tensor,
        *,
        image_index: Tensor | None = None,
        intermediates: Intermediates = NO_INTERMEDIATES,
    ) -> Tensor:
        """Mask logits.

        Args:
            images: letterboxed and normalised (B, 3, S, S); other sizes that the tower tiles work
                as well.
            token_ids: (B, L).
            image_index: the image of each sentence where there are fewer images, see
                `System.__call__`.
            intermediates: gets what `bridge` and `MaskHead` record.

        Returns:
            (B, 1, 4 S / s, 4 S / s) with s the stride of the middle map: 16 with a ResNet, the
            patch size with a transformer.
        """
        maps, text_state = self.bridge(
            images, token_ids, image_index=image_index, intermediates=intermediates
        )
        text_features = self.text_tower.final_features(
            text_state, token_ids, intermediates=intermediates.sub("text_tower")
        )
        logits: Tensor = self.head(maps, text_features, intermediates=intermediates)
        return logits

    @keyword_aliases({"image": "images"}, name="model.bridge")
    def bridge(
        self,
        images: Tensor,
        token_ids: Tensor,
        *,
        image_index: Tensor | None = None,
        intermediates: Intermediates = NO_INTERMEDIATES,
    ) -> tuple[tuple[Tensor, ...], Tensor]:
        """Run both towers side by side, with the Bridgers between them, see `run_towers`.

        Returns:
            Three maps for the neck, and the text tower's tokens (B, L, T) before its last norm.
        """
        bridgers = partial(self.bridgers, intermediates=intermediates.sub("bridgers"))
        return self.run_towers(
            images, token_ids, bridgers, image_index=image_index, intermediates=intermediates
        )

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """The tuned Bridgers, which have a learning rate of their own in the paper."""
        return {BRIDGERS: [value for value in self.bridgers.parameters() if value.requires_grad]}


def build_etris(config: ETRISConfig, inputs: BuildInputs = NO_INPUTS) -> ETRIS:
    """Build ETRIS from a configuration.

    Args:
        config: sizes and choices.
        inputs: towers or a tokenizer to use in place of those that the configuration names.

    Raises:
        RisbookError: if sizes do not fit, or the weights of a tower are not available.
    """
    towers = build_towers(config, inputs)
    bridgers = Bridgers(
        config.bridger,
        stage_dims=towers.image.stage_dims,
        factors=towers.factors,
        text_dim=towers.text.embed_dim,
        architecture=towers.image.architecture,
        map_sizes=[config.image_size // stride for stride in towers.image.strides],
    )
    return ETRIS(
        towers.image,
        towers.text,
        build_mask_head(config.head, towers),
        bridgers=bridgers,
        tokenizer=towers.tokenizer,
        config=config,
    )
