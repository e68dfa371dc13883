"""GLiA, CAA and Text CAA equal the released modules: outputs, gradients, statistics."""

import pytest
import torch
from parity import Recording, outputs_of
from torch import Tensor, nn

from risbook.adapters.caa import CAA
from risbook.adapters.glia import GLiA
from risbook.adapters.rename_mica_adapters import rename_mica_adapter, rename_mica_entry
from risbook.adapters.text_caa import TextCAA
from risbook.errors import DataError
from risbook.intermediates import Intermediates
from risbook.layers.pos_embed import Grid

#: absolute tolerance; the README of the recordings suggests 1e-4
STRICT = 2e-5
#: heads of both kinds of attention, which no weight tells: the README names them
NUM_HEADS = 4
#: the class token and four registers
EXTRA = 5


def load_adapter(adapter: nn.Module, weights: dict[str, Tensor]) -> None:
    adapter.load_state_dict(rename_mica_adapter(weights), strict=True)
    adapter.eval()


def recorded_glia(weights: dict[str, Tensor], *, scale: float | None = None) -> GLiA:
    bottleneck_dim, dim = weights["down_proj.weight"].shape
    glia = GLiA(
        dim=dim,
        bottleneck_dim=bottleneck_dim,
        num_heads=NUM_HEADS,
        dropout=0.0,  # as recorded
        scale=scale,
    )
    load_adapter(glia, weights)
    return glia


def recorded_caa(name: str, *, scale: float | None = None) -> tuple[CAA, Recording]:
    file = Recording(name, atol=STRICT)
    weights = file.below("sd/")
    bottleneck_dim, dim = weights["D_fc1.weight"].shape
    attn_dim, text_dim = weights["cross_attention.text_proj.weight"].shape
    caa = CAA(
        dim=dim,
        text_dim=text_dim,
        bottleneck_dim=bottleneck_dim,
        attn_dim=attn_dim,
        num_heads=NUM_HEADS,
        dropout=0.0,  # as recorded
        film="film.film.weight" in weights,
        scale=scale,
    )
    load_adapter(caa, weights)
    return caa, file


def compare_caa(file: Recording, caa: CAA, *, filled_grid: Grid | None = None) -> Tensor:
    """The results in evaluation mode, all but the output, which is returned."""
    outputs, intermediates = outputs_of(caa), Intermediates()
    with torch.no_grad():
        output: Tensor = caa(
            file["in/x"],
            file["in/text"],
            grid=filled_grid,
            num_extra_tokens=EXTRA,
            fill_grid=filled_grid is not None,
            intermediates=intermediates,
        )
    file.compare("mid/multi_scale_conv.pw_conv", outputs["conv.pw_conv"])
    file.compare("mid/multi_scale_conv", outputs["conv_norm"])
    if caa.film is not None:
        file.compare("mid/film", intermediates["query"])
    for name in ("image_proj", "text_proj"):
        file.compare(f"mid/cross_attention.{name}", outputs[f"cross.{name}"])
    attended = outputs["cross.multihead_attn"].transpose(0, 1)  # recorded sequence first
    file.compare("mid/cross_attention.multihead_attn", attended)
    file.compare("mid/cross_attention", intermediates["attn_out"])
    file.compare("mid/D_fc2", outputs["up"])
    return output


def compare_step(file: Recording, adapter: nn.Module, *inputs: str, **options: int) -> None:
    """The output in training mode, the gradients, and the statistics of the batch norm."""
    adapter.train()
    tensors = [file[f"in/{name}"].requires_grad_() for name in inputs]
    output = adapter(*tensors, **options)
    file.compare("out/train", output)
    (output * file["in/cotangent"]).sum().backward()
    for name, tensor in zip(inputs, tensors, strict=True):
        file.compare(f"grad_in/{name}", tensor.grad)
    parameters, state = dict(adapter.named_parameters()), adapter.state_dict()
    for name in file.below("gradnorm/"):
        gradient = parameters[rename_mica_entry(name)].grad
        assert gradient is not None
        file.compare(f"gradnorm/{name}", gradient.norm())
    for name in file.below("after/"):
        file.compare(f"after/{name}", state[rename_mica_entry(name)])


@pytest.mark.parametrize("kit", ["mica/glia_vision.npz", "mica/glia_text.npz"])
def test_parity_glia(kit: str) -> None:
    file = Recording(kit, atol=STRICT)
    glia = recorded_glia(file.below("sd/"))
    outputs, intermediates = outputs_of(glia), Intermediates()
    with torch.no_grad():
        output = glia(file["in/x"], intermediates=intermediates)
    file.compare("out/eval", output)
    file.compare("out/eval_layer_residual", file["in/x"] + output)
    file.compare("mid/down_proj", outputs["down"])
    file.compare("mid/multi_scale_conv.pw_conv", outputs["conv.pw_conv"])
    file.compare("mid/multi_scale_conv", intermediates["local"])
    file.compare("mid/lite_attention.proj", outputs["attention.proj"])
    file.compare("mid/lite_attention", intermediates["global"])
    file.compare("mid/up_proj", outputs["up"])
    compare_step(file, glia, "x")
    file.assert_all_compared()


def test_parity_variants_of_glia() -> None:
    """A constant gate, and tokens so large that the guards work."""
    file = Recording("mica/glia_variants.npz", atol=STRICT)
    glia = recorded_glia(file.below("sd_fixed_gate/"), scale=0.5)
    file.compare("out/eval_fixed_gate", glia(file["in/x"]))
    assert not any(name.startswith("gate") for name, _ in glia.named_parameters())
    glia = recorded_glia(file.below("sd_learnable/"))
    assert bool(file["in/x_guard"].isnan().any())
    file.compare("out/eval_guard", glia(file["in/x_guard"]))
    file.assert_all_compared()


def test_parity_caa() -> None:
    caa, file = recorded_caa("mica/caa_vision.npz")
    file.compare("out/eval", compare_caa(file, caa))
    compare_step(file, caa, "x", "text", num_extra_tokens=EXTRA)
    file.assert_all_compared()


def test_parity_caa_without_film_and_with_a_constant_gate() -> None:
    caa, file = recorded_caa("mica/caa_vision_nofilm_fixed_skip.npz", scale=0.5)
    file.compare("out/eval", file["in/x"] + compare_caa(file, caa))  # recorded with its input
    file.assert_all_compared()


def test_parity_caa_on_a_grid_that_is_filled_up() -> None:
    caa, file = recorded_caa("mica/caa_vision_padded_grid.npz")
    side = file["mid/multi_scale_conv"].shape[-1]
    assert file["in/x"].shape[1] < EXTRA + side**2
    file.compare("out/eval", compare_caa(file, caa, filled_grid=(side, side)))
    file.assert_all_compared()


def test_parity_text_caa() -> None:
    file = Recording("mica/caa_text.npz", atol=STRICT)
    weights = file.below("sd/")
    bottleneck_dim, dim = weights["D_fc1.weight"].shape
    caa = TextCAA(dim=dim, bottleneck_dim=bottleneck_dim, num_heads=NUM_HEADS, dropout=0.0)
    load_adapter(caa, weights)
    outputs, intermediates = outputs_of(caa), Intermediates()
    with torch.no_grad():
        file.compare("out/eval", caa(file["in/x"], intermediates=intermediates))
    file.compare("mid/multi_scale_conv", intermediates["local"][:, 1:])
    file.compare("mid/lite_attention", outputs["attention"])
    file.compare("mid/D_fc2", outputs["up"])
    compare_step(file, caa, "x")
    file.assert_all_compared()


def test_an_unknown_entry_is_an_error() -> None:
    with pytest.raises(DataError, match=r"S_fc1\.weight: not an entry of a released GLiA or CAA"):
        rename_mica_entry("S_fc1.weight")
