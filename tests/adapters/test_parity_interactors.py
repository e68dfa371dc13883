"""The two interactors equal the released ones, outputs and gradients."""

from parity import Recording
from torch import Tensor

from risbook.adapters.interactor import Interactor, InteractorT


def test_parity_interactor() -> None:
    file = Recording("etris/interactor.npz", atol=1e-5)
    module = Interactor(16, 4)
    module.load_state_dict(file.below("w."), strict=True)
    module.eval()
    target, memory = (file[f"in.{name}"].transpose(0, 1) for name in ("tgt", "memory"))
    record: dict[str, Tensor] = {}
    output = module(target, memory, record=record)
    file.compare("out", output.transpose(0, 1))
    assert record["attention"].shape == (2, 4, 10, 7)
    file.compare("out", module(target, memory).transpose(0, 1))
    (output.transpose(0, 1) * file["grad_probe"]).sum().backward()
    for name, parameter in module.named_parameters():
        file.compare(f"grad.{name}", parameter.grad)
    file.assert_all_compared()


def test_parity_interactor_t() -> None:
    file = Recording("etris/interactor_t.npz", atol=1e-5)
    module = InteractorT(16, 4)
    module.load_state_dict(file.below("w."), strict=True)
    module.eval()
    target = file["in.tgt"].transpose(0, 1)
    for length in (7, 1):
        memory = file[f"in.memory_len{length}"].transpose(0, 1)
        output = module(target, memory).transpose(0, 1)
        file.compare(f"out.len{length}", output)
    # of the last one, the single word: nothing reaches query and key
    (output * file["grad_probe.len1"]).sum().backward()
    for name, parameter in module.named_parameters():
        file.compare(f"grad.len1.{name}", parameter.grad)
    grad = module.multihead_attn.in_proj_weight.grad
    assert grad is not None and float(grad[:32].abs().max()) < 1e-6
    assert float(grad[32:].abs().max()) > 0
    file.assert_all_compared()
