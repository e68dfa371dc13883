"""Tiny towers of every kind, with random weights, and what the tests do with them."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from risbook.towers.clip_resnet import CLIPResNet
from risbook.towers.image_transformer import ImageTransformer
from risbook.towers.text_transformer import TextTransformer

WIDTH, DEPTH, PATCH = 16, 3, 8
TRANSFORMERS = ("clip", "dinov2", "text")
KINDS = (*TRANSFORMERS, "resnet")
POOL = 256  # channels that come to the ResNet's attention pool, 32 times its width
OUTPUT = 24


def make(kind: str) -> Any:
    """A tower in evaluation mode, every weight random: none may hide what another does."""
    torch.manual_seed(0)
    tower: nn.Module
    if kind == "text":
        tower = TextTransformer(
            vocab_size=30,
            embed_dim=WIDTH,
            depth=DEPTH,
            num_heads=2,
            context_length=12,
            output_dim=OUTPUT,
        )
    elif kind == "resnet":
        tower = CLIPResNet(layers=(1, 1, 1, 1), width=8, output_dim=OUTPUT, num_heads=4, pos_grid=3)
    else:
        tower = ImageTransformer(
            style="clip" if kind == "clip" else "dinov2",
            embed_dim=WIDTH,
            depth=DEPTH,
            num_heads=2,
            patch_size=PATCH,
            pos_grid=3,
            num_registers=4 if kind == "dinov2" else 0,
            output_dim=OUTPUT if kind == "clip" else None,
        )
    for parameter in tower.parameters():
        if kind != "resnet":
            nn.init.normal_(parameter, std=0.2)
        elif parameter.ndim == 1:  # a batch norm whose weight is 0 would stop all gradients
            nn.init.uniform_(parameter, 0.5, 1.5)
    return tower.eval()


def inputs(kind: str) -> Tensor:
    """Two inputs: sentences of different lengths, or images that are wider than high."""
    if kind == "text":
        return torch.tensor([[28, 5, 6, 29, 0, 0], [28, 7, 4, 8, 9, 29]])
    generator = torch.Generator().manual_seed(1)
    height, width = (64, 96) if kind == "resnet" else (3 * PATCH, 5 * PATCH)
    return torch.randn(2, 3, height, width, generator=generator)


def answers(tower: Any, kind: str) -> list[Tensor]:
    """All that a tower hands on for the two inputs."""
    features = tower(inputs(kind))
    return (
        [features.text_tokens, features.sentence_embedding]
        if kind == "text"
        else list(features.maps)
    )


def same(first: list[Tensor], second: list[Tensor]) -> bool:
    """Whether two outputs are the same, bit for bit; what learned a little is not."""
    return all(a.equal(b) for a, b in zip(first, second, strict=True))


def near(first: list[Tensor], second: list[Tensor]) -> bool:
    """Whether two outputs are equal up to rounding: 1e-4 of the largest value.

    Whether a weight needs a gradient decides which kernel a processor takes: freezing alone moves
    the last map of a ResNet by up to 2.9e-5.
    """
    pairs = zip(first, second, strict=True)
    return all(bool((a - b).abs().max() <= 1e-4 * b.abs().max()) for a, b in pairs)


def tuned(tower: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters that learn, by their names."""
    return {name: p for name, p in tower.named_parameters() if p.requires_grad}


def loss(tower: Any, kind: str) -> Tensor:
    """A number in which all answers take part, each value with another weight."""
    generator = torch.Generator().manual_seed(2)
    total = torch.zeros(())
    for output in answers(tower, kind):
        total = total + (output * torch.randn(output.shape, generator=generator)).mean()
    return total


def saved(run: Any) -> int:
    """How many tensors a computation keeps for its backward pass."""
    count = 0

    def pack(tensor: Tensor) -> Tensor:
        nonlocal count
        count += 1
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        run()
    return count
