"""D-MoC, Dense Aligner and Text Adapter equal the released ones: outputs, gradients, statistics."""

from typing import Any

import pytest
import torch
from parity import Recording
from torch import Tensor, nn

from risbook.adapters.dense_aligner import DenseAligner
from risbook.adapters.dmoc import DMoC
from risbook.adapters.rename_detris_adapters import rename_adapter_entry, rename_detris_adapters
from risbook.adapters.text_adapter import TextAdapter
from risbook.errors import DataError
from risbook.intermediates import Intermediates

#: absolute tolerance; the README of the recordings suggests 1e-5 of the range, which is 5 to 20
STRICT = 2e-5
#: the class token and four registers
EXTRA = 5


def recorded_aligner(name: str, *, num_heads: int) -> tuple[DenseAligner, Recording]:
    file = Recording(name, atol=STRICT)
    aligner = DenseAligner(
        dim=file["in/x"].shape[-1],
        text_dim=file["in/text"].shape[-1],
        bottleneck_dim=len(file["sd/D_fc1.weight"]),
        attn_dim=len(file["sd/cross.image_proj.weight"]),
        num_heads=num_heads,
        dropout=0.0,  # as recorded
    )
    aligner.load_state_dict(rename_detris_adapters(file.below("sd/")), strict=True)
    return aligner.eval(), file


def recorded_text_adapter(name: str) -> tuple[TextAdapter, Recording]:
    file = Recording(name, atol=STRICT)
    bottleneck_dim, dim = file["sd/D_fc1.weight"].shape
    adapter = TextAdapter(dim=dim, bottleneck_dim=bottleneck_dim)
    adapter.load_state_dict(rename_detris_adapters(file.below("sd/")), strict=True)
    return adapter.eval(), file


def branches_of(dmoc: Any) -> dict[int, Tensor]:
    """The last output of each branch of D-MoC, counted from 1; filled whenever it runs."""
    outputs: dict[int, Tensor] = {}
    for number, branch in enumerate(dmoc.branches, start=1):
        branch.register_forward_hook(
            lambda _, __, out, number=number: outputs.update({number: out})
        )
    return outputs


def compare_step(module: nn.Module, file: Recording) -> None:
    """The norms of the gradients, and the batch norms' statistics after one step in training."""
    state, gradients = module.state_dict(), dict(module.named_parameters())
    for name in file.below("after/"):
        file.compare(f"after/{name}", state[rename_adapter_entry(name)])
    for name in file.below("gradnorm/"):
        gradient = gradients[rename_adapter_entry(name)].grad
        assert gradient is not None
        file.compare(f"gradnorm/{name}", gradient.norm()[None])


def test_parity_dmoc() -> None:
    file = Recording("detris/dmoc2d_small.npz", atol=STRICT)
    dmoc = DMoC(file["in/sq"].shape[1]).eval()
    state = rename_detris_adapters(file.below("sd/"))
    dmoc.load_state_dict({k.removeprefix("dmoc."): v for k, v in state.items()}, strict=True)
    outputs = branches_of(dmoc)
    for shape in ("sq", "rect"):
        x = file[f"in/{shape}"]
        file.compare(f"out/{shape}", x + dmoc(x))  # recorded with the Dense Aligner's inner sum
        for number, output in outputs.items():
            file.compare(f"out/{shape}_b{number}", output)
    file.compare("out/sq_train", file["in/sq"] + dmoc.train()(file["in/sq"]))
    statistics = dmoc.state_dict()
    for name in file.below("after/"):
        ours = rename_adapter_entry(name).removeprefix("dmoc.")
        file.compare(f"after/{name}", statistics[ours])
    file.assert_all_compared()


def test_parity_dense_aligner() -> None:
    aligner, file = recorded_aligner("detris/da_small.npz", num_heads=4)
    compare_outputs(aligner, file)
    aligner.train()
    tokens, text_tokens = file["in/x"].requires_grad_(), file["in/text"].requires_grad_()
    output = aligner(tokens, text_tokens, num_extra_tokens=EXTRA)
    file.compare("out/train", output)
    (output * file["in/cotangent"]).sum().backward()
    file.compare("out/train_grad_x", tokens.grad)
    file.compare("out/train_grad_text", text_tokens.grad)
    compare_step(aligner, file)
    file.assert_all_compared()


def test_parity_dense_aligner_at_full_size() -> None:
    aligner, file = recorded_aligner("detris/da_official_b.npz", num_heads=8)
    assert sum(parameter.numel() for parameter in aligner.parameters()) == 382_896
    compare_outputs(aligner, file)
    file.assert_all_compared()


def compare_outputs(aligner: DenseAligner, file: Recording) -> None:
    """The output in evaluation mode and the intermediates, with the grid given and inferred."""
    outputs = branches_of(aligner.dmoc)
    intermediates = Intermediates()
    with torch.no_grad():
        output = aligner(
            file["in/x"], file["in/text"], num_extra_tokens=EXTRA, intermediates=intermediates
        )
        side = intermediates["query"].shape[-1]
        again = aligner(file["in/x"], file["in/text"], grid=(side, side))
    file.compare("out/eval", output)
    file.compare("out/eval", again)
    for number, branch in outputs.items():
        file.compare(f"out/eval_dense_branch{number}", branch)
    query, attn_out = (intermediates[name].flatten(2) for name in ("query", "attn_out"))
    file.compare("out/eval_cross_query_in", query.transpose(1, 2))
    file.compare("out/eval_cross", attn_out.transpose(1, 2))


def test_parity_text_adapter() -> None:
    adapter, file = recorded_text_adapter("detris/ta_small.npz")
    compare_text_outputs(adapter, file)
    adapter.train()
    tokens = file["in/x"].requires_grad_()
    output = adapter(tokens)
    file.compare("out/train", output)
    (output * file["in/cotangent"]).sum().backward()
    file.compare("out/train_grad_x", tokens.grad)
    compare_step(adapter, file)
    file.assert_all_compared()


def test_parity_text_adapter_at_full_size() -> None:
    adapter, file = recorded_text_adapter("detris/ta_official_b.npz")
    assert sum(parameter.numel() for parameter in adapter.parameters()) == 69_720
    compare_text_outputs(adapter, file)
    file.assert_all_compared()


def compare_text_outputs(adapter: TextAdapter, file: Recording) -> None:
    """The output in evaluation mode, and what enters and leaves D-MoC."""
    pairs: list[tuple[Tensor, Tensor]] = []
    adapter.dmoc.register_forward_hook(lambda _, args, out: pairs.append((args[0], out)))
    with torch.no_grad():
        file.compare("out/eval", adapter(file["in/x"]))
    words, mixture = pairs[0]
    file.compare("out/eval_xs", words)
    file.compare("out/eval_dmoc1d", mixture)


def test_an_unknown_entry_is_an_error() -> None:
    with pytest.raises(DataError, match=r"S_fc1\.weight: not an entry of a released Dense Aligner"):
        rename_adapter_entry("S_fc1.weight")
