"""CLIP's text tower equals what the released codes of ETRIS, DETRIS and TALENT computed."""

from typing import Any

import pytest
import torch
from official_towers import (
    Weights,
    rename_text_block,
    text_adapter,
    text_tower,
    without_adapters,
)
from parity import Recording, assert_near, below
from torch import Tensor

from risbook.towers.text_transformer import TextTransformer


def run_adapted(
    tower: TextTransformer, states: Tensor, number: int, adapter: Weights | None
) -> Tensor:
    """One block with a Text Adapter beside its MLP: DETRIS adds 0.2 times what it computes."""
    if not adapter:
        return tower.run(states, number, number + 1)
    block: Any = tower.blocks[number]
    states = states + tower.attend(block, states, tower.causal_mask(states))
    branch: Tensor = block.mlp(block.layer_norm2(states))
    return states + branch + 0.2 * text_adapter(adapter, states)


@pytest.mark.parametrize("backbone", ["vit", "rn"])
def test_parity_text_tower_of_etris(backbone: str) -> None:
    """Twelve blocks; between them the bridgers' recorded answers are added to the words."""
    file = Recording(f"etris/full_small_{backbone}.npz")
    tower = text_tower(text_weights(file.below("w.backbone.")), heads=2)
    words = file["in.word"]
    states, done = tower.embed(words), 0
    for bridger, stop in enumerate((4, 8, 12)):
        states, done = tower.run(states, done, stop), stop
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
    features = tower.finish(states, words)
    assert_near(features.words, file["mid.bridger.out_txt"])
    assert_near(features.sentence, file["mid.bridger.out_state"])
    assert features.padding.equal(words == 0)


@pytest.mark.parametrize("kit", ["detris/full_small.npz", "talent/towers_small.npz"])
def test_parity_text_tower_with_adapters(kit: str) -> None:
    file = Recording(kit)
    weights = file.below("sd/txt_backbone.")
    tower = text_tower(text_weights(weights), heads=4)
    words = file["in/word"]
    states = tower.embed(words)
    adapted = 0
    for number in range(len(tower.blocks)):
        adapter = below(weights, f"transformer.resblocks.{number}.adapter.")
        adapted += bool(adapter)
        states = run_adapted(tower, states, number, adapter)
    assert adapted == 2
    features = tower.finish(states, words)
    assert_near(features.words, file["out/eval_txt"])
    assert_near(features.sentence, file["out/eval_state"])
    # The comparison can fail: without the adapters the answer is another one.
    assert not torch.allclose(tower(words).words, file["out/eval_txt"], atol=1e-2)


def test_parity_one_adapted_text_block() -> None:
    file = Recording("detris/clip_block_ta_small.npz")
    block = file.below("sd/")
    x = file["in/x_LBD"].transpose(0, 1)
    tower = TextTransformer(
        vocabulary=3, width=x.shape[-1], depth=1, heads=4, context=x.shape[1], projection=1
    )
    tower.blocks[0].load_state_dict(rename_text_block(without_adapters(block), ""), strict=True)
    states = run_adapted(tower.eval(), x, 0, below(block, "adapter."))
    assert_near(states, file["out/eval_LBD"].transpose(0, 1))


def text_weights(weights: Weights) -> dict[str, Tensor]:
    """The text tower's weights out of a whole CLIP's."""
    return {k: v for k, v in weights.items() if not k.startswith(("visual.", "logit_scale"))}
