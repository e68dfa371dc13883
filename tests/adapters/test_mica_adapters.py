"""GLiA and CAA: their options, their places in frozen towers, initial weights."""

from typing import Any

import pytest
import torch
from tiny_towers import WIDTH, answers, inputs, make, near, same
from torch import Tensor, nn

from risbook.adapters import (
    CAA,
    CAAConfig,
    GLiA,
    GLiAConfig,
    TextCAA,
    TextMiCAConfig,
    add_mica_image_adapters,
    add_mica_text_adapters,
)
from risbook.adapters.mica_placements import end_tokens
from risbook.errors import ArgumentError, RisbookError
from risbook.intermediates import Intermediates
from risbook.towers.freezing import freeze
from risbook.towers.stages import StageContext

TEXT_DIM = 12
SMALL: dict[str, Any] = {"bottleneck_dim": 16, "num_heads": 2}


def small_caa(**options: bool) -> CAA:
    torch.manual_seed(0)
    return CAA(dim=WIDTH, text_dim=TEXT_DIM, attn_dim=16, **SMALL, **options).eval()


def randomise(module: nn.Module) -> None:
    """Larger weights than the initial ones, with which every input changes the output."""
    generator = torch.Generator().manual_seed(4)
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.3, generator=generator)


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def tokens_and_text(num_tokens: int = 17) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randn(2, num_tokens, WIDTH, generator=generator)
    return tokens, torch.randn(2, 6, TEXT_DIM, generator=generator)


# alone


def test_parameters() -> None:
    """Those of the released modules, as the specification counted them."""
    with torch.device("meta"):
        assert count(GLiA(dim=768)) == 315_520
        assert count(GLiA(dim=1024)) == 381_568
        assert count(GLiA(dim=512, bottleneck_dim=64)) == count(TextCAA(dim=512)) == 96_576
        assert count(CAA(dim=768, text_dim=512)) == 554_368
        assert count(CAA(dim=1024, text_dim=512)) == 620_416
        assert count(CAA(dim=768, text_dim=512, film=False)) == 554_368 - 256 * 513
        assert count(CAA(dim=768, text_dim=512, film_projected=True)) == 554_368 - 256 * 384
        # kernels of 9 + 25 + 49 in place of 3 + 5 + 7 weights
        assert count(GLiA(dim=768, spatial_dims=2)) == 315_520 + 68 * 128


def test_initial_weights_are_those_in_effect() -> None:
    torch.manual_seed(0)
    for adapter in (GLiA(dim=768), CAA(dim=768, text_dim=512)):
        for layer in (module for module in adapter.modules() if isinstance(module, nn.Linear)):
            assert float(layer.weight.detach().std()) == pytest.approx(0.02, rel=0.05)
            assert layer.bias is None or not bool(layer.bias.any())
    text = GLiA(dim=512, bottleneck_dim=64, modality="text").requires_grad_(False)
    assert float(text.up.weight.std()) == pytest.approx(0.02 * (2 / 576) ** 0.5, rel=0.05)
    assert float(text.attention.qkv.weight.abs().max()) == pytest.approx(1 / 8, rel=0.05)
    depthwise, *_, pointwise = (m.weight for m in text.conv.modules() if isinstance(m, nn.Conv1d))
    assert float(depthwise.std()) == pytest.approx((2 / (64 * 3)) ** 0.5, rel=0.2)
    assert float(pointwise.std()) == pytest.approx((2 / 64) ** 0.5, rel=0.1)
    assert not bool(text.gate.weight.any())


def test_kernels_along_the_sequence_and_on_the_grid() -> None:
    """The class token is a neighbour of the first patch in the sequence alone."""
    tokens, _ = tokens_and_text(1 + 4 * 4)
    changed = tokens.clone()
    changed[:, 1] += 1  # the first patch
    reached = []
    for options in ({}, {"spatial_dims": 2}):
        glia = GLiA(dim=WIDTH, **SMALL, **options).eval()
        randomise(glia)
        before, after = Intermediates(), Intermediates()
        glia(tokens, intermediates=before)
        glia(changed, intermediates=after)
        distance = (before["local"] - after["local"]).abs().amax(dim=(0, 2))
        reached.append((distance > 1e-6).nonzero().flatten().tolist())
    # a kernel of 7 reaches three tokens to each side, or three rows and columns
    assert reached == [[0, 1, 2, 3, 4], list(range(1, 17))]


def test_extra_tokens_skip_convolution_and_attention() -> None:
    caa = small_caa()
    randomise(caa)
    tokens, text_tokens = tokens_and_text(5 + 16)
    out = caa(tokens, text_tokens, num_extra_tokens=5)
    hidden = caa.down(tokens[:, :5]).relu()
    assert near([out[:, :5]], [caa.gate(caa.up(2 * hidden))])
    changed = caa(tokens, text_tokens + 1, num_extra_tokens=5)
    assert changed[:, :5].equal(out[:, :5]) and not changed[:, 5:].equal(out[:, 5:])


def test_patches_attend_to_all_tokens_but_the_first() -> None:
    caa, (tokens, text_tokens) = small_caa(film=False), tokens_and_text()
    randomise(caa)
    intermediates = Intermediates()
    out = caa(tokens, text_tokens, intermediates=intermediates)
    assert intermediates["query"].shape == (2, 16, 4, 4)
    assert intermediates["attn"].shape == (2, 2, 16, 5)
    text_tokens[:, 0] += 1
    assert near([caa(tokens, text_tokens)], [out])


def test_the_condition_is_the_start_token_unless_another_is_given() -> None:
    for projected in (False, True):
        caa, (tokens, text_tokens) = small_caa(film_projected=projected), tokens_and_text()
        randomise(caa)
        out = caa(tokens, text_tokens)
        assert out.equal(caa(tokens, text_tokens, text_tokens[:, 0]))
        assert not near([out], [caa(tokens, text_tokens, text_tokens[:, -1])])


def test_a_mask_excludes_padding() -> None:
    tokens, text_tokens = tokens_and_text()
    padding = torch.tensor([[False] * 4 + [True] * 2] * 2)
    caa = small_caa()
    randomise(caa)
    masked = caa(tokens, text_tokens, key_padding_mask=padding)
    assert near([masked], [caa(tokens, text_tokens[:, :4])])
    assert not near([masked], [caa(tokens, text_tokens)])
    for adapter in (GLiA(dim=TEXT_DIM, **SMALL).eval(), TextCAA(dim=TEXT_DIM, **SMALL).eval()):
        randomise(adapter)
        masked = adapter(text_tokens, key_padding_mask=padding)[:, :4]
        assert near([masked], [adapter(text_tokens[:, :4])])
        assert not near([masked], [adapter(text_tokens)[:, :4]])


def test_an_added_mixture_brings_gradients_to_the_convolution() -> None:
    """The ratio is that of the gradients of the kernels to those of the layer before them."""
    shares = []
    for add_mixture in (False, True):
        caa = small_caa(add_mixture=add_mixture).train()
        tokens, text_tokens = tokens_and_text()
        caa(tokens, text_tokens).pow(2).mean().backward()
        gradients = [parameter.grad for parameter in caa.conv.parameters()]
        of_conv = max(float(g.abs().max()) for g in gradients if g is not None)
        assert caa.down.weight.grad is not None
        shares.append(of_conv / float(caa.down.weight.grad.abs().max()))
    released, with_mixture = shares
    assert released < 1e-2 and with_mixture > 10 * released


def test_grids() -> None:
    caa, (tokens, text_tokens) = small_caa(), tokens_and_text(1 + 6)
    assert caa(tokens, text_tokens, grid=(2, 3)).shape == tokens.shape
    with pytest.raises(ArgumentError, match=r"6 patches form no square: .*grid=\(h, w\)"):
        caa(tokens, text_tokens)
    glia = GLiA(dim=WIDTH, spatial_dims=2, **SMALL).eval()
    assert glia(tokens, grid=(2, 3), num_extra_tokens=1).equal(glia(tokens, grid=(2, 3)))
    for grid in ((1, 3), (3, 3)):
        message = f"7 tokens are not 1 and {grid[0]} x 3 patches: num_extra_tokens="
        with pytest.raises(ArgumentError, match=message):
            caa(tokens, text_tokens, grid=grid, num_extra_tokens=1)
        with pytest.raises(ArgumentError, match=message):
            glia(tokens, grid=grid, num_extra_tokens=1)
    filled = caa(tokens, text_tokens, grid=(3, 3), num_extra_tokens=1, fill_grid=True)
    assert filled.shape == tokens.shape
    with pytest.raises(ArgumentError, match="num_heads is 3; it must divide"):
        CAA(dim=8, text_dim=8, num_heads=3)
    with pytest.raises(ArgumentError, match="num_heads is 3; it must divide"):
        GLiA(dim=8, num_heads=3)
    with pytest.raises(RisbookError, match="num_heads is 3; it must divide"):
        GLiAConfig(num_heads=3)


# in frozen towers


def add_to_image_tower(tower: Any, *, glia: Any = (0, 2), caa: Any = (1,), **options: Any) -> None:
    caa_config = CAAConfig(blocks=caa, attn_dim=16, **SMALL, **options)
    add_mica_image_adapters(tower, GLiAConfig(blocks=glia, **SMALL), caa_config, text_dim=TEXT_DIM)


def test_the_image_tower_reads_the_text() -> None:
    tower = freeze(make("dinov2"))
    add_to_image_tower(tower)
    randomise(tower.adapters.eval())
    assert sorted(tower.adapters) == ["0_attention", "1_mlp", "2_attention"]
    with pytest.raises(ArgumentError, match="a CAA reads the text: call the tower with context"):
        tower(inputs("dinov2"))
    context = StageContext(tokens_and_text()[1])
    maps = list(tower(inputs("dinov2"), context=context).maps)  # 3 x 5 patches
    other = list(tower(inputs("dinov2"), context=StageContext(context.text_tokens + 1)).maps)
    assert near(maps[:1], other[:1]) and not near(maps[1:], other[1:])
    torch.stack([feature_map.pow(2).mean() for feature_map in maps]).sum().backward()
    for name, parameter in tower.named_parameters():
        assert (parameter.grad is not None) == name.startswith("adapters."), name


def test_places_in_a_block() -> None:
    tower = freeze(make("dinov2"))
    add_to_image_tower(tower, glia=(1,), condition="end")
    tower.eval()
    context, grid = StageContext(tokens_and_text()[1]), (3, 4)
    tokens = torch.randn(2, 5 + 12, WIDTH)
    norm, attention, scale = tower.branch_layers(1, "attention")
    attended = tokens + scale(attention(norm(tokens)))
    expected = attended + tower.adapters["1_attention"].adapter(attended)
    added = tower.forward_branch(1, "attention", tokens, context=context, grid=grid)
    assert near([tokens + added], [expected])
    norm, mlp, scale = tower.branch_layers(1, "mlp")
    normed = norm(tokens)
    aligned = tower.adapters["1_mlp"].adapter(
        normed, context.text_tokens, end_tokens(context), grid=grid, num_extra_tokens=5
    )
    added = tower.forward_branch(1, "mlp", tokens, context=context, grid=grid)
    assert near([added], [scale(mlp(normed) + aligned)])


def test_the_end_token_is_the_last_that_is_no_padding() -> None:
    text_tokens = tokens_and_text()[1]
    padding = torch.tensor([[False] * 4 + [True] * 2, [False] * 6])
    ends = end_tokens(StageContext(text_tokens, padding))
    assert ends.equal(torch.stack([text_tokens[0, 3], text_tokens[1, 5]]))
    assert end_tokens(StageContext(text_tokens)).equal(text_tokens[:, -1])


def test_the_start_token_reads_the_words_through_the_text_adapters_alone() -> None:
    """CLIP's causal mask: without the adapters it is the same token for all sentences."""
    tower = freeze(make("text"))
    first, second = tower(inputs("text")).text_tokens[:, 0]
    assert near([first], [second])
    add_mica_text_adapters(
        tower, TextMiCAConfig(blocks=(0,), **SMALL), TextMiCAConfig(blocks=(1,), **SMALL)
    )
    randomise(tower.adapters.eval())
    first, second = tower(inputs("text")).text_tokens[:, 0]
    assert not near([first], [second])


def test_zero_initialised_adapters_leave_both_towers_unchanged() -> None:
    image_tower, text_tower = freeze(make("dinov2")), freeze(make("text"))
    plain = answers(image_tower, "dinov2"), answers(text_tower, "text")
    blocks = {"blocks": (0, 1, 2), "zero_init": True, **SMALL}
    glia, caa = GLiAConfig(**blocks), CAAConfig(attn_dim=16, **blocks)
    add_mica_image_adapters(image_tower, glia, caa, text_dim=TEXT_DIM)
    add_mica_text_adapters(text_tower, TextMiCAConfig(**blocks), TextMiCAConfig(**blocks))
    context = StageContext(tokens_and_text()[1])
    maps = image_tower.eval()(inputs("dinov2"), context=context).maps
    assert same(list(maps), plain[0])
    assert same(answers(text_tower.eval(), "text"), plain[1])
    masked = freeze(make("text"))
    config = TextMiCAConfig(blocks=(0,), mask_padding=True, **SMALL)
    add_mica_text_adapters(masked, config, config)
    with pytest.raises(ArgumentError, match="mask_padding needs the padding: call the text tower"):
        masked(inputs("text"))
