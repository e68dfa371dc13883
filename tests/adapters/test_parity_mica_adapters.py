"""GLiA, CAA and Text CAA equal the released modules: outputs, gradients, statistics."""

import pytest
import torch
from parity import Recording, outputs_of
from torch import Tensor, nn

from risbook.adapters.glia import GLiA
from risbook.adapters.rename_mica_adapters import rename_mica_adapter, rename_mica_entry
from risbook.errors import DataError
from risbook.intermediates import Intermediates

#: absolute tolerance; the README of the recordings suggests 1e-4
STRICT = 2e-5
#: heads of the light self-attention, which no weight tells: the README names them
NUM_HEADS = 4


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


def compare_step(file: Recording, adapter: nn.Module, *inputs: str) -> None:
    """The output in training mode, the gradients, and the statistics of the batch norm."""
    adapter.train()
    tensors = [file[f"in/{name}"].requires_grad_() for name in inputs]
    output = adapter(*tensors)
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


def test_an_unknown_entry_is_an_error() -> None:
    with pytest.raises(DataError, match=r"S_fc1\.weight: not an entry of a released GLiA or CAA"):
        rename_mica_entry("S_fc1.weight")
