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
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from risbook.adapters.bridger import BridgerConfig, Bridgers, BridgerTokens
from risbook.config import Size, configuration
from risbook.decoder.mask_head import MaskHead, MaskHeadConfig
from risbook.errors import ArgumentError
from risbook.intermediates import NO_INTERMEDIATES, Intermediates
from risbook.keyword_aliases import keyword_aliases
from risbook.systems.part_names import BRIDGERS, TOWER_PARTS
from risbook.systems.peft_system import PEFTSystem, PEFTSystemConfig
from risbook.systems.system_towers import build_image_tower, build_text_tower, prepare_towers
from risbook.tokenizers.interface import ShapeOnlyTokenizer, Tokenizer
from risbook.towers.build import tokenizer_of
from risbook.towers.stages import STAGES, StageContext, StagedImageTower, StagedTextTower

BlockIndex = Annotated[int, Field(ge=0, le=1023)]
OutIndices = Annotated[tuple[BlockIndex, ...], Field(examples=[[5, 8, 11]])]


@configuration
class ETRISConfig(PEFTSystemConfig):
    """Sizes and choices of ETRIS; the defaults are the released ones for RN50.

    Args:
        image_tower: name of an image tower: CLIP's as in the paper, or another, such as
            "dinov2-mini".
        text_tower: name of a CLIP text tower.
        weights: where both towers' weights come from, see `risbook.towers.build.build_tower`.
        image_size: side S of the letterboxed input, pixels.
        max_tokens: token ids per sentence; 17 for RefCOCO and RefCOCO+, 22 for RefCOCOg.
        image_out_indices: last block of each stage of an image tower that is a transformer, counted
            from 0; empty for the stages that the tower was built with. A ResNet has fixed stages.
        text_out_indices: the same for the text tower.
        train_pos_embed: whether the towers' position embeddings are tuned.
        norm_eval: whether a ResNet's batch norms stay in evaluation mode.
        bridger: the Bridgers.
        head: the mask head.
        image_peft: for comparisons, a generic method inside the image tower.
        text_peft: the same for the text tower.
    """

    image_tower: str = "clip-rn50-image"
    text_tower: str = "clip-rn50-text"
    weights: str = "auto"
    image_size: Size = 416
    max_tokens: Size = 17
    image_out_indices: OutIndices = ()
    text_out_indices: OutIndices = ()
    train_pos_embed: bool = True
    norm_eval: bool = False
    bridger: BridgerConfig = BridgerConfig()
    head: MaskHeadConfig = MaskHeadConfig()


class ETRIS(PEFTSystem):
    """Frozen towers with a Bridger after each stage and a mask head.

    Input are letterboxed images (B, 3, S, S) and token ids (B, L); output are mask logits
    (B, 1, S / 4, S / 4), or with a transformer (B, 1, 4 S / patch_size, 4 S / patch_size).

    Args:
        image_tower: an image tower of three stages, frozen by `prepare_towers` or the caller.
        text_tower: its text tower, the same.
        head: the mask head.
        bridgers: the Bridgers.
        tokenizer: the text tower's.
        config: the choices that the parts were made of. The system takes its `image_size`, and a
            checkpoint holds all of it.
        name: the preset's name. A system of parts that no preset builds has a name of its own, and
            `risbook.systems.register_system` says how it is loaded.
    """

    config: ETRISConfig
    backbone_parts = (*PEFTSystem.backbone_parts, BRIDGERS)
    attribute_hints: ClassVar[Mapping[str, str]] = {
        **PEFTSystem.attribute_hints,
        "decoder": "model.head.decoder",
        "neck": "model.head.neck",
        "projector": "model.head.projector",
    }

    def __init__(
        self,
        image_tower: StagedImageTower,
        text_tower: StagedTextTower,
        head: MaskHead,
        *,
        bridgers: Bridgers,
        tokenizer: Tokenizer,
        config: ETRISConfig,
        name: str = "etris",
    ) -> None:
        super().__init__(
            image_tower,
            text_tower,
            config=config,
            name=name,
            image_size=config.image_size,
            tokenizer=tokenizer,
        )
        # CLIP's temperature: unused here, kept as the released code keeps it
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)), requires_grad=False)
        self.bridgers = bridgers
        self.head = head

    def forward(
        self, images: Tensor, token_ids: Tensor, *, intermediates: Intermediates = NO_INTERMEDIATES
    ) -> Tensor:
        """Mask logits.

        Args:
            images: letterboxed and normalised (B, 3, S, S); other sizes that the tower tiles work
                as well.
            token_ids: (B, L).
            intermediates: gets what `bridge` and `MaskHead` record.

        Returns:
            (B, 1, S / 4, S / 4); with a transformer (B, 1, 4 S / patch_size, 4 S / patch_size).
        """
        maps, text_tokens = self.bridge(images, token_ids, intermediates=intermediates)
        text_features = self.text_tower.final_features(text_tokens, token_ids)
        logits: Tensor = self.head(maps, text_features, intermediates=intermediates)
        return logits

    @keyword_aliases({"image": "images"}, name="model.bridge")
    def bridge(
        self, images: Tensor, token_ids: Tensor, *, intermediates: Intermediates = NO_INTERMEDIATES
    ) -> tuple[tuple[Tensor, ...], Tensor]:
        """Run both towers side by side, with the Bridgers between them.

        Adapters inside the towers get a `StageContext`: the text tokens and the feature map that
        enter the same stage.

        Args:
            images: (B, 3, S, S).
            token_ids: (B, L).
            intermediates: gets what towers and Bridgers record, below "image_tower", "text_tower"
                and "bridgers".

        Returns:
            Three maps for the neck, and the text tokens (B, L, T) before the last norm.
        """
        image_tower, text_tower = self.image_tower, self.text_tower
        padding = text_tower.key_padding_mask(token_ids)
        record: dict[str, Any] = {}
        of_image = intermediates.sub("image_tower")
        of_text = intermediates.sub("text_tower")
        text_tokens = text_tower.begin_stages(token_ids, intermediates=of_text)
        state = image_tower.begin_stages(images, intermediates=of_image)
        maps: list[Tensor] = []
        previous: BridgerTokens | None = None
        for stage in STAGES:
            context = StageContext(text_tokens, padding, image_tower.stage_map(state), record)
            state = image_tower.run_stage(stage, state, context=context, intermediates=of_image)
            text_tokens = text_tower.run_stage(
                stage, text_tokens, context=context, intermediates=of_text
            )
            feature_map, text_tokens, previous = self.bridgers(
                stage,
                image_tower.stage_map(state),
                text_tokens,
                previous,
                key_padding_mask=padding,
                intermediates=intermediates.sub("bridgers"),
            )
            state = image_tower.with_stage_map(state, feature_map)
            maps.append(feature_map)
        # the neck takes the last map after the tower's own head, CLIP's pool or norm, as released
        maps[-1] = image_tower.final_map(state, intermediates=of_image)
        return tuple(maps), text_tokens

    def part_of(self, name: str, parameter: nn.Parameter) -> str:
        """As every `PEFTSystem`; CLIP's temperature is counted to the text tower."""
        return TOWER_PARTS["text"] if name == "logit_scale" else super().part_of(name, parameter)

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """The tuned Bridgers, which have a learning rate of their own in the paper."""
        return {BRIDGERS: [value for value in self.bridgers.parameters() if value.requires_grad]}


def build_etris(
    config: ETRISConfig,
    *,
    name: str = "etris",
    image_tower: StagedImageTower | None = None,
    text_tower: StagedTextTower | None = None,
    tokenizer: Tokenizer | None = None,
    meta: bool = False,
) -> ETRIS:
    """Build ETRIS from a configuration.

    Args:
        config: sizes and choices.
        name: the preset's name.
        image_tower: to use in place of the one that the configuration names.
        text_tower: the same.
        tokenizer: to use in place of the text tower's.
        meta: shapes only: random weights, no tokenizer; for use under the meta device.

    Raises:
        RisbookError: if sizes do not fit, or the weights of a tower are not available.
    """
    weights = "random" if meta else config.weights
    if image_tower is None:
        image_tower = build_image_tower(
            config.image_tower,
            weights=weights,
            image_size=config.image_size,
            norm_eval=config.norm_eval,
        )
    if text_tower is None:
        text_tower = build_text_tower(config.text_tower, weights=weights)
    prepare_towers(
        image_tower,
        text_tower,
        train_pos_embed=config.train_pos_embed,
        image_peft=config.image_peft,
        text_peft=config.text_peft,
    )
    image_tower.set_stages(config.image_out_indices)
    text_tower.set_stages(config.text_out_indices)
    for tower in (image_tower, text_tower):
        if tower.num_stages != len(STAGES):
            raise ArgumentError(
                f"{type(tower).__name__} has {tower.num_stages} stages; ETRIS needs {len(STAGES)}"
            )
    strides = image_tower.strides
    factors = [stride / strides[1] for stride in strides]  # all maps to the grid of the middle one
    bridgers = Bridgers(
        config.bridger,
        stage_dims=image_tower.stage_dims,
        factors=factors,
        text_dim=text_tower.embed_dim,
        architecture=image_tower.architecture,
        map_sizes=[config.image_size // stride for stride in strides],
    )
    head = MaskHead(
        config.head,
        map_dims=image_tower.map_dims,
        factors=factors,
        text_dim=text_tower.embed_dim,
        sentence_dim=text_tower.output_dim,
    )
    if tokenizer is None:
        tokenizer = (
            ShapeOnlyTokenizer(config.max_tokens)
            if meta
            else tokenizer_of(config.text_tower, length=config.max_tokens, weights=config.weights)
        )
    return ETRIS(
        image_tower,
        text_tower,
        head,
        bridgers=bridgers,
        tokenizer=tokenizer,
        config=config,
        name=name,
    )
