"""Computing layers again in the backward pass changes the memory, and nothing else."""

import torch

from risbook.systems import build_system
from risbook.towers.transformer_tower import set_grad_checkpointing


def test_gradients_and_statistics_stay_the_same() -> None:
    torch.manual_seed(0)
    system = build_system("detris-mini").train()
    images = torch.randn(2, 3, system.image_size, system.image_size)
    masks = (torch.rand(2, 1, system.image_size, system.image_size) > 0.5).float()
    start = {name: value.clone() for name, value in system.state_dict().items()}
    calls: list[int] = []
    system.image_tower.blocks[5].mlp.register_forward_pre_hook(lambda *_: calls.append(1))
    results = []
    for enabled in (False, True):
        system.load_state_dict(start)
        system.zero_grad(set_to_none=True)
        set_grad_checkpointing(system, enabled)
        system.loss(system(images, ["left dog", "a red car"]), masks).backward()
        gradients = {
            name: value.grad for name, value in system.named_parameters() if value.grad is not None
        }
        statistics = {name: value.clone() for name, value in system.named_buffers()}
        results.append((gradients, statistics))
    assert len(calls) == 3  # once, and then twice
    for plain, checkpointed in zip(*results, strict=True):
        assert plain.keys() == checkpointed.keys()
        for name, value in plain.items():
            assert torch.allclose(value.float(), checkpointed[name].float(), atol=1e-6), name
