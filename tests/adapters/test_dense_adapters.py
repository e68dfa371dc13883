"""Dense Aligner and Text Adapter: their options, their places in frozen towers, initial weights."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from tiny_towers import DEPTH, WIDTH, answers, inputs, make, near, same, tuned
from torch import Tensor, nn

from risbook.adapters import (
    CAA,
    DenseAligner,
    DenseAlignerConfig,
    DMoC,
    GLiA,
    TextAdapter,
    TextAdapterConfig,
    TextCAA,
    add_dense_aligners,
    add_text_adapters,
)
from risbook.adapters.dense_placements import Wiring
from risbook.errors import ArgumentError, RisbookError
from risbook.intermediates import Intermediates
from risbook.towers.freezing import freeze
from risbook.towers.stages import StageContext

TEXT_DIM = 12


def small_aligner(**options: bool) -> DenseAligner:
    torch.manual_seed(0)
    return DenseAligner(
        dim=WIDTH, text_dim=TEXT_DIM, bottleneck_dim=32, attn_dim=16, num_heads=4, **options
    ).eval()


def randomise(module: nn.Module) -> None:
    """Larger weights than the initial ones, with which the text changes the output by 1e-5."""
    generator = torch.Generator().manual_seed(4)
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.3, generator=generator)


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def tokens_and_text(num_tokens: int = 17) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randn(2, num_tokens, WIDTH, generator=generator)
    return tokens, torch.randn(2, 6, TEXT_DIM, generator=generator)


CONFIG = DenseAlignerConfig(blocks=(0, 2), bottleneck_dim=16, attn_dim=16, num_heads=2)


# D-MoC


@pytest.mark.parametrize(
    ("kernel_sizes", "squeeze", "expected"),
    [
        # per branch: weights, biases, and two numbers per channel of each batch norm
        ((1, 3, 5), True, 20_656),
        ((1, 3, 5), False, 64 * 131 + 32 * (192 * 9 + 3) + 32 * (224 * 25 + 3)),
        ((3,), True, 8 * 131 + 128 * (8 * 9 + 3)),
    ],
)
def test_parameters_of_dmoc(kernel_sizes: Sequence[int], squeeze: bool, expected: int) -> None:
    dmoc = DMoC(128, kernel_sizes=kernel_sizes, squeeze=squeeze)
    assert count(dmoc) == expected
    assert dmoc(torch.zeros(2, 128, 3, 4)).shape == (2, 128, 3, 4)


def test_impossible_dmoc() -> None:
    with pytest.raises(ArgumentError, match="has 40 channels; they must be a multiple of 16"):
        DMoC(40)
    for kernel_sizes in ((1, 2), (), (-1,)):
        with pytest.raises(ArgumentError, match="kernels must be odd"):
            DMoC(32, kernel_sizes=kernel_sizes)
    assert DMoC(16, kernel_sizes=(1,) * 5)(torch.zeros(2, 16, 3, 4)).shape == (2, 16, 3, 4)
    with pytest.raises(ArgumentError, match=r"6 sizes; .* 16 channels are enough for 5 branches"):
        DMoC(16, kernel_sizes=(1,) * 6)


def test_the_chain_reaches_three_positions_to_each_side() -> None:
    dmoc = DMoC(16, spatial_dims=1).eval()
    x = torch.zeros(1, 16, 20, requires_grad=True)
    for conv in (module for module in dmoc.modules() if isinstance(module, nn.Conv1d)):
        nn.init.ones_(conv.weight)  # so that no ReLU stops a gradient
    dmoc(x + 1)[0, :, 10].sum().backward()
    assert x.grad is not None
    # 1 position by the kernel of 3, and 2 more by that of 5, which reads its output
    reached = x.grad[0].abs().sum(dim=0).nonzero().flatten().tolist()
    assert reached == list(range(7, 14))


# the Dense Aligner


@pytest.mark.parametrize(
    ("dim", "bottleneck_dim", "expected"),
    [(768, 128, 382_896), (1024, 128, 448_688), (1024, 384, 1_201_680)],
)
def test_parameters_of_the_dense_aligner(dim: int, bottleneck_dim: int, expected: int) -> None:
    with torch.device("meta"):
        assert count(DenseAligner(dim=dim, text_dim=512, bottleneck_dim=bottleneck_dim)) == expected


@pytest.mark.parametrize(("bottleneck_dim", "expected"), [(64, 69_720), (384, 517_520)])
def test_parameters_of_the_text_adapter(bottleneck_dim: int, expected: int) -> None:
    with torch.device("meta"):
        assert count(TextAdapter(dim=512, bottleneck_dim=bottleneck_dim)) == expected


def test_initial_weights_are_those_in_effect() -> None:
    torch.manual_seed(0)
    aligner = DenseAligner(dim=768, text_dim=512).requires_grad_(False)
    cross = aligner.cross
    for layer in (aligner.down, aligner.up, cross.image_proj, cross.text_proj, cross.back_proj):
        assert float(layer.weight.std()) == pytest.approx(0.02, rel=0.03)
        assert not bool(layer.bias.any())
    out_proj = cross.multihead_attn.out_proj
    assert float(out_proj.weight.std()) == pytest.approx(0.02, rel=0.03)
    in_proj = cross.multihead_attn.in_proj_weight  # Xavier's uniform rule
    assert float(in_proj.abs().max()) <= (6 / (384 + 128)) ** 0.5
    assert float(in_proj.std()) == pytest.approx((2 / (384 + 128)) ** 0.5, rel=0.03)
    convolutions = [m for m in aligner.modules() if isinstance(m, nn.Conv2d)]
    assert len(convolutions) == 5
    for conv in convolutions:
        fan_in = conv.weight[0].numel()
        assert float(conv.weight.std()) == pytest.approx((2 / fan_in) ** 0.5, rel=0.1)
        assert conv.bias is not None and not bool(conv.bias.any())
    # torch's own: uniform, at most 1 / sqrt(fan-in)
    adapter = TextAdapter(dim=512).requires_grad_(False)
    assert float(adapter.down.weight.abs().max()) <= 512**-0.5
    assert bool(adapter.down.bias.any()) and bool(adapter.up.weight.any())


def test_extra_tokens_skip_dmoc_and_attention() -> None:
    aligner = small_aligner()
    tokens, text_tokens = tokens_and_text(5 + 16)
    out = aligner(tokens, text_tokens, num_extra_tokens=5)
    hidden = aligner.down(tokens[:, :5]).relu()
    assert near([out[:, :5]], [aligner.up(2 * hidden)])
    changed = aligner(tokens, text_tokens + 1, num_extra_tokens=5)
    assert changed[:, :5].equal(out[:, :5]) and not changed[:, 5:].equal(out[:, 5:])


def test_grids() -> None:
    aligner = small_aligner()
    randomise(aligner)
    tokens, text_tokens = tokens_and_text(1 + 16)
    intermediates = Intermediates()
    out = aligner(tokens, text_tokens, intermediates=intermediates)
    assert intermediates["query"].shape == intermediates["attn_out"].shape == (2, 32, 4, 4)
    assert intermediates["attn"].shape == (2, 4, 16, 6)
    assert near([out], [aligner(tokens, text_tokens, grid=(4, 4))])
    # the same patches in another order of rows: convolutions see other neighbours
    assert not near([out], [aligner(tokens, text_tokens, grid=(2, 8))])
    for count, extra in ((25, 1), (21, 1), (17, 0), (1, 1), (4, 5)):  # 25 may be 1 + 4 x 6
        message = (
            rf"{max(count - extra, 0)} patches form no square: .*grid=\(h, w\), or .*num_extra"
        )
        with pytest.raises(ArgumentError, match=message):
            aligner(*tokens_and_text(count), num_extra_tokens=extra)
    assert near([out], [aligner(tokens, text_tokens, grid=(4, 4), num_extra_tokens=1)])
    with pytest.raises(ArgumentError, match="17 tokens are fewer than 3 x 6 patches"):
        aligner(tokens, text_tokens, grid=(3, 6))
    for grid in ((3, 4), (4, 5)):
        with pytest.raises(ArgumentError, match=f"17 tokens are not 1 and {grid[0]} x {grid[1]} p"):
            aligner(tokens, text_tokens, grid=grid, num_extra_tokens=1)
    with pytest.raises(ArgumentError, match="num_heads is 3; it must divide attn_dim, 128"):
        DenseAligner(dim=8, text_dim=8, num_heads=3)


def test_a_mask_excludes_padding() -> None:
    aligner = small_aligner()
    randomise(aligner)
    tokens, text_tokens = tokens_and_text()
    padding = torch.tensor([[False] * 4 + [True] * 2] * 2)
    masked = aligner(tokens, text_tokens, key_padding_mask=padding)
    assert near([masked], [aligner(tokens, text_tokens[:, :4])])
    assert not near([masked], [aligner(tokens, text_tokens)])


def test_an_added_mixture_brings_gradients_to_the_convolutions() -> None:
    """The ratio is that of the gradients of D-MoC to those of the layer before it."""
    shares = []
    for add_mixture in (False, True):
        aligner = small_aligner(add_mixture=add_mixture).train()
        tokens, text_tokens = tokens_and_text()
        aligner(tokens, text_tokens).pow(2).mean().backward()
        gradients = [p.grad for p in aligner.dmoc.parameters() if p.ndim == 4]
        of_dmoc = max(float(g.abs().max()) for g in gradients if g is not None)
        assert aligner.down.weight.grad is not None
        shares.append(of_dmoc / float(aligner.down.weight.grad.abs().max()))
    released, with_mixture = shares
    assert released < 1e-4 and with_mixture > 1e-2


# the places in frozen towers


def test_the_image_tower_reads_the_text() -> None:
    tower = freeze(make("dinov2"))
    plain = answers(tower, "dinov2")
    add_dense_aligners(tower, CONFIG, text_dim=TEXT_DIM)
    randomise(tower.adapters.eval())
    assert list(tower.adapters) == ["0_mlp", "2_mlp"]
    with pytest.raises(ArgumentError, match="a Dense Aligner reads the text: call the tower with"):
        tower(inputs("dinov2"))
    context = StageContext(tokens_and_text()[1])
    maps = list(tower(inputs("dinov2"), context=context).maps)  # 3 x 5 patches
    other = StageContext(context.text_tokens + 1)
    assert not near(maps, plain) and not near(
        maps, list(tower(inputs("dinov2"), context=other).maps)
    )
    torch.stack([feature_map.pow(2).mean() for feature_map in maps]).sum().backward()
    for name, parameter in tower.named_parameters():
        assert (parameter.grad is not None) == name.startswith("adapters."), name


@pytest.mark.parametrize("wiring", ["released", "figure"])
def test_wirings_of_the_dense_aligner(wiring: Wiring) -> None:
    tower = freeze(make("dinov2"))
    config = DenseAlignerConfig(
        blocks=(1,), bottleneck_dim=16, attn_dim=16, num_heads=2, scale=0.7, wiring=wiring
    )
    add_dense_aligners(tower, config, text_dim=TEXT_DIM)
    tower.eval()
    context, grid = StageContext(tokens_and_text()[1]), (3, 4)
    tokens = torch.randn(2, 5 + 12, WIDTH)
    added = tower.forward_branch(1, "mlp", tokens, context=context, grid=grid)
    norm, mlp, scale = tower.branch_layers(1, "mlp")
    aligner = tower.adapters["1_mlp"].adapter
    if wiring == "released":
        aligned = aligner(norm(tokens), context.text_tokens, grid=grid)
        expected = scale(mlp(norm(tokens)) + 0.7 * aligned)
    else:
        aligned = aligner(tokens, context.text_tokens, grid=grid)
        expected = scale(mlp(norm(tokens))) + 0.7 * aligned
    assert near([added], [expected])


def test_the_configuration_masks_padding() -> None:
    padding = torch.tensor([[False] * 4 + [True] * 2] * 2)
    text_tokens = tokens_and_text()[1]
    for is_masked in (False, True):
        tower = freeze(make("dinov2"))
        config = DenseAlignerConfig(
            blocks=(1,), bottleneck_dim=16, attn_dim=16, num_heads=2, mask_padding=is_masked
        )
        add_dense_aligners(tower, config, text_dim=TEXT_DIM)
        randomise(tower.adapters.eval())
        padded = tower(inputs("dinov2"), context=StageContext(text_tokens, padding))
        short = tower(inputs("dinov2"), context=StageContext(text_tokens[:, :4]))
        assert near(list(padded.maps), list(short.maps)) == is_masked


def test_zero_initialised_adapters_leave_both_towers_unchanged() -> None:
    image_tower, text_tower = freeze(make("dinov2")), freeze(make("text"))
    plain = answers(image_tower, "dinov2"), answers(text_tower, "text")
    context = StageContext(tokens_and_text()[1])
    aligner = DenseAlignerConfig(
        blocks=(0, 1, 2), bottleneck_dim=16, attn_dim=16, num_heads=2, zero_init=True
    )
    add_dense_aligners(image_tower, aligner, text_dim=TEXT_DIM)
    adapter = TextAdapterConfig(blocks=(0, 1, 2), bottleneck_dim=16, zero_init=True)
    add_text_adapters(text_tower, adapter)
    maps = image_tower.eval()(inputs("dinov2"), context=context).maps
    assert same(list(maps), plain[0])
    assert same(answers(text_tower.eval(), "text"), plain[1])


def test_the_text_tower() -> None:
    tower = freeze(make("text"))
    plain = answers(tower, "text")
    add_text_adapters(tower, TextAdapterConfig(blocks=tuple(range(DEPTH)), bottleneck_dim=16))
    tower.eval()
    adapted = answers(tower, "text")
    assert not near(adapted, plain)
    torch.stack([output.pow(2).mean() for output in adapted]).sum().backward()
    for name, parameter in tower.named_parameters():
        assert (parameter.grad is not None) == name.startswith("adapters."), name
    assert set(tuned(tower)) == {name for name, _ in tower.named_parameters() if "adapters" in name}


def test_the_text_adapter_reads_before_the_norm_and_skips_prompts() -> None:
    tower = freeze(make("text"))
    tower.add_prompts(2)
    add_text_adapters(tower, TextAdapterConfig(blocks=(1,), bottleneck_dim=16, scale=0.7))
    tower.eval()
    tokens = torch.randn(2, 8, WIDTH)
    norm, mlp, _ = tower.branch_layers(1, "mlp")
    adapted = tower.adapters["1_mlp"].adapter(tokens, num_extra_tokens=3)
    added = tower.forward_branch(1, "mlp", tokens)
    assert near([added], [mlp(norm(tokens)) + 0.7 * adapted])


def test_impossible_choices() -> None:
    with pytest.raises(RisbookError, match="num_heads is 3; it must divide attn_dim"):
        DenseAlignerConfig(num_heads=3)
    with pytest.raises(RisbookError, match="bottleneck_dim is 40"):
        TextAdapterConfig(bottleneck_dim=40)
    with pytest.raises(ArgumentError, match="no block 9 to add an adapter to"):
        add_text_adapters(make("text"), TextAdapterConfig(blocks=(9,)))


@pytest.mark.parametrize("adapter", [DenseAligner, TextAdapter, CAA, GLiA, TextCAA])
def test_embed_dim_is_another_name_of_dim(adapter: Any) -> None:
    """As `Bottleneck`, the towers and timm name it."""
    text = {"text_dim": TEXT_DIM} if adapter in (DenseAligner, CAA) else {}
    with torch.device("meta"):
        assert adapter(embed_dim=64, **text).up.out_features == 64
    with pytest.raises(TypeError, match="embed_dim is another name of dim; give one"):
        adapter(embed_dim=64, dim=64, **text)
