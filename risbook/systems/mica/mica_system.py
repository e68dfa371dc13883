"""MiCA: adapters within one modality and across both, inside two frozen towers, and a mask head.

MiCA: Intra-modal integration and cross-modal alignment adapters (Li et al., 2026), and its released
code, whose choices are the defaults. The code is a fork of DETRIS': neck, decoder and projector are
the same, and the text tower runs first. What differs are the adapters. Each tower has GLiA after
the attention of some blocks, and CAA beside the MLP of others, see
`risbook.adapters.mica_placements`; `risbook.adapters.mica_options` has the repairs.

The paper gives 1.93 % of tuned parameters; the released configuration for RefCOCO has 2.13 %. Our
reconstruction, the preset ``mica-b-reconstructed``, has 1.93 %: with ``caa.film_projected=True``,
FiLM reads the text token after the projection to 128 channels, as the figure of CAA can be read.
Other changes lead to nearly the same number, so this stays a guess.
"""

from torch import Tensor

from risbook.adapters.mica_options import CAAConfig, GLiAConfig, TextMiCAConfig
from risbook.adapters.mica_placements import add_mica_image_adapters, add_mica_text_adapters
from risbook.config import configuration
from risbook.intermediates import NO_INTERMEDIATES, Intermediates
from risbook.systems.losses import guarded_cross_entropy, resize_target
from risbook.systems.system_preset import NO_INPUTS, BuildInputs
from risbook.systems.system_towers import build_mask_head, build_towers
from risbook.systems.text_first_system import TextFirstConfig, TextFirstSystem, check_blocks
from risbook.towers.features import TextFeatures
from risbook.towers.stages import StageContext


@configuration
class MiCAConfig(TextFirstConfig):
    """Sizes and choices of MiCA; the defaults are the released ones for RefCOCO, B model.

    Args:
        glia: GLiA in the image tower.
        caa: CAA in the image tower.
        text_glia: GLiA in the text tower.
        text_caa: CAA in the text tower.
        head: the mask head.
    """

    glia: GLiAConfig = GLiAConfig()
    caa: CAAConfig = CAAConfig()
    text_glia: TextMiCAConfig = TextMiCAConfig(blocks=(1, 5, 9))
    text_caa: TextMiCAConfig = TextMiCAConfig(blocks=(3, 7, 11))


class MiCA(TextFirstSystem):
    """Frozen towers, GLiA and CAA inside, and a mask head.

    `build_mica` makes one; see `TextFirstSystem` for the arguments and the forward pass.
    """

    config: MiCAConfig

    def encode_text(
        self, token_ids: Tensor, *, intermediates: Intermediates = NO_INTERMEDIATES
    ) -> TextFeatures:
        """Run the text tower on token ids (B, L); its adapters can know what is padding."""
        tower = self.text_tower
        padding = tower.key_padding_mask(token_ids)
        state = tower.begin_stages(token_ids, intermediates=intermediates)
        for stage in range(1, tower.num_stages + 1):
            context = StageContext(state, padding)
            state = tower.run_stage(stage, state, context=context, intermediates=intermediates)
        context = StageContext(state, padding)
        return tower.final_features(state, token_ids, context=context, intermediates=intermediates)

    def loss(self, logits: Tensor, mask: Tensor) -> Tensor:
        """The released loss, a scalar: `risbook.systems.losses.guarded_cross_entropy`.

        Args:
            logits: the result of `forward`, (B, 1, h, w).
            mask: in [0, 1], of the size of the logits or of the image.
        """
        return guarded_cross_entropy(logits, resize_target(mask, logits.shape[-2:]))


def build_mica(config: MiCAConfig, inputs: BuildInputs = NO_INPUTS) -> MiCA:
    """Build MiCA from a configuration.

    Args:
        config: sizes and choices.
        inputs: towers or a tokenizer to use in place of those that the configuration names.

    Raises:
        RisbookError: if sizes do not fit, a tower has no such blocks, or the weights of a tower are
            not available.
    """
    towers = build_towers(config, inputs)
    if config.glia.blocks or config.caa.blocks:
        add_mica_image_adapters(
            check_blocks(towers.image, "glia", "caa"),
            config.glia,
            config.caa,
            text_dim=towers.text.embed_dim,
        )
    if config.text_glia.blocks or config.text_caa.blocks:
        text_tower = check_blocks(towers.text, "text_glia", "text_caa")
        add_mica_text_adapters(text_tower, config.text_glia, config.text_caa)
    return MiCA(
        towers.image,
        towers.text,
        build_mask_head(config.head, towers),
        tokenizer=towers.tokenizer,
        config=config,
    )
