"""CLIP's text tower equals what the released codes of ETRIS, DETRIS and TALENT computed."""

import pytest
import torch
from official_towers import (
    Weights,
    recorded_text_adapter,
    rename_text_block,
    text_tower,
    without_adapters,
)
from parity import Recording, assert_near, below
from torch import Tensor

from risbook.towers.text_transformer import TextTransformer


@pytest.mark.parametrize("backbone", ["vit", "rn"])
def test_parity_text_tower_of_etris(backbone: str) -> None:
    """Twelve blocks; between them the bridgers' recorded answers are added to the words."""
    file = Recording(f"etris/full_small_{backbone}.npz")
    tower = text_tower(text_weights(file.below("w.backbone.")), heads=2)
    words = file["in.word"]
    states, done = tower.embed(words), 0
    for bridger, stop in enumerate((4, 8, 12)):
        states, done = tower.forward_blocks(states, done, stop), stop
        recorded = file[f"mid.backbone.transformer.resblocks.{stop - 1}"].transpose(0, 1)
        assert_near(states, recorded)
        assert_near(
            torch.nn.functional.linear(
                states if bridger == 0 else recorded,
                file[f"w.bridger.linear1.{bridger}.weight"],
                file[f"w.bridger.linear1.{bridger}.bias"],
            ),
            file[f"mid.bridger.linear1.{bridger}"].transpose(0, 1),
        )
        states = states + file[f"mid.bridger.linear2.{bridger}"].transpose(0, 1)
    features = tower.final_features(states, words)
    assert_near(features.text_tokens, file["mid.bridger.out_txt"])
    assert_near(features.sentence_embedding, file["mid.bridger.out_state"])
    assert features.key_padding_mask.equal(words == 0)


@pytest.mark.parametrize("kit", ["detris/full_small.npz", "talent/towers_small.npz"])
def test_parity_text_tower_with_adapters(kit: str) -> None:
    file = Recording(kit)
    weights = file.below("sd/txt_backbone.")
    tower = text_tower(text_weights(weights), heads=4)
    words = file["in/word"]
    plain = tower(words).text_tokens
    for number in range(len(tower.blocks)):
        if adapter := below(weights, f"transformer.resblocks.{number}.adapter."):
            tower.add_adapter(number, "mlp", recorded_text_adapter(adapter))
    assert len(tower.adapters) == 2
    features = tower(words)
    assert_near(features.text_tokens, file["out/eval_txt"])
    assert_near(features.sentence_embedding, file["out/eval_state"])
    # The comparison can fail: without the adapters the tokens are others.
    assert not torch.allclose(plain, file["out/eval_txt"], atol=1e-2)


def test_parity_one_adapted_text_block() -> None:
    file = Recording("detris/clip_block_ta_small.npz")
    block = file.below("sd/")
    x = file["in/x_LBD"].transpose(0, 1)
    tower = TextTransformer(
        vocab_size=3,
        embed_dim=x.shape[-1],
        depth=1,
        num_heads=4,
        context_length=x.shape[1],
        output_dim=1,
    )
    tower.blocks[0].load_state_dict(rename_text_block(without_adapters(block), ""), strict=True)
    tower.add_adapter(0, "mlp", recorded_text_adapter(below(block, "adapter.")))
    assert_near(tower.eval().forward_blocks(x), file["out/eval_LBD"].transpose(0, 1))


def text_weights(weights: Weights) -> dict[str, Tensor]:
    """The text tower's weights out of a whole CLIP's."""
    return {k: v for k, v in weights.items() if not k.startswith(("visual.", "logit_scale"))}
