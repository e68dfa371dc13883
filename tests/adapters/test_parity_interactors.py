"""The two interactors equal the released ones, outputs and gradients."""

from parity import Recording

from risbook.adapters.interactor import Interactor, InteractorT
from risbook.intermediates import Intermediates


def test_parity_interactor() -> None:
    file = Recording("etris/interactor.npz", atol=1e-5)
    module = Interactor(file["in.tgt"].shape[-1], 4, ffn_dim=128, dropout=0.1)
    module.load_state_dict(file.below("w."), strict=True)
    module.eval()
    target, memory = (file[f"in.{name}"].transpose(0, 1) for name in ("tgt", "memory"))
    intermediates = Intermediates()
    output = module(target, memory, intermediates=intermediates)
    file.compare("out", output.transpose(0, 1))
    (length, batch, _), memory_length = file["in.tgt"].shape, len(file["in.memory"])
    assert intermediates["attn"].shape == (batch, 4, length, memory_length)
    file.compare("out", module(target, memory).transpose(0, 1))
    (output.transpose(0, 1) * file["grad_probe"]).sum().backward()
    for name, parameter in module.named_parameters():
        file.compare(f"grad.{name}", parameter.grad)
    file.assert_all_compared()


def test_parity_interactor_t() -> None:
    file = Recording("etris/interactor_t.npz", atol=1e-5)
    width = file["in.tgt"].shape[-1]
    module = InteractorT(width, 4)
    module.load_state_dict(file.below("w."), strict=True)
    module.eval()
    target = file["in.tgt"].transpose(0, 1)
    lengths = {int(name.removeprefix("in.memory_len")) for name in file if "memory_len" in name}
    for length in sorted(lengths, reverse=True):
        memory = file[f"in.memory_len{length}"].transpose(0, 1)
        output = module(target, memory).transpose(0, 1)
        file.compare(f"out.len{length}", output)
    # With the single token, the last one, no gradient reaches query and key.
    (output * file["grad_probe.len1"]).sum().backward()
    for name, parameter in module.named_parameters():
        file.compare(f"grad.len1.{name}", parameter.grad)
    # Zero up to rounding, whose size depends on the processor and on the number of threads.
    grad = module.multihead_attn.in_proj_weight.grad
    assert grad is not None
    assert float(grad[:-width].abs().max()) < 1e-5 * float(grad[-width:].abs().max())
    file.assert_all_compared()
