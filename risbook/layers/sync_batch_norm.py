"""Batch normalisation over the samples of all processes, on CPUs and GPUs.

A process that trains with others sees its part of a batch only. Ordinary batch normalisation takes
mean and variance of that part, so two processes of 16 samples learn otherwise than one process of
32. The synchronised layer takes them over all parts. `torch.nn.SyncBatchNorm` does so too, but on
GPUs only; this one can be tested on a CPU.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


class SumOverProcesses(torch.autograd.Function):
    """The sum of a tensor over all processes; its gradient is the sum of their gradients."""

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        """Sum over the processes."""
        total = value.contiguous().clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        """Sum the gradients over the processes."""
        total = grad.contiguous().clone()
        dist.all_reduce(total)
        return total


class SyncBatchNorm(_BatchNorm):
    """Takes the place of a `BatchNorm1d` or `BatchNorm2d`; alone, it computes what that one does.

    Args:
        norm: the layer whose parameters and running statistics are shared. Modules inside it, such
            as the activation of timm's `BatchNormAct2d`, are applied to the normalised features.
    """

    def __init__(self, norm: _BatchNorm) -> None:
        super().__init__(
            norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats
        )
        self._parameters.update(norm._parameters)
        self._buffers.update(norm._buffers)
        for name, child in norm.named_children():
            self.add_module(name, child)
        self.training = norm.training

    def _check_input_dim(self, input: Tensor) -> None:
        if input.ndim < 2:
            raise ValueError(f"expected (B, C, ...), got {input.ndim} dimensions")

    def forward(self, features: Tensor) -> Tensor:
        """Normalise features (B, C, ...) of this process by the statistics of all processes."""
        is_alone = not dist.is_initialized() or dist.get_world_size() == 1
        is_ordinary = is_alone or not self.training
        out = super().forward(features) if is_ordinary else self._normalise(features)
        for child in self.children():
            out = child(out)
        return out

    def _normalise(self, features: Tensor) -> Tensor:
        values = features.float()
        axes = [axis for axis in range(values.ndim) if axis != 1]
        per_channel = [1, -1] + [1] * (values.ndim - 2)
        # Batches are shared equally, so every process has as many values.
        count = values.numel() // values.shape[1] * dist.get_world_size()
        mean = SumOverProcesses.apply(values.sum(axes)) / count
        centred = values - mean.view(per_channel)
        variance = SumOverProcesses.apply(centred.square().sum(axes)) / count
        self._update_statistics(mean.detach(), variance.detach() * count / max(1, count - 1))
        normalised = centred * (variance + self.eps).rsqrt().view(per_channel)
        if self.affine:
            normalised = normalised * self.weight.view(per_channel) + self.bias.view(per_channel)
        result: Tensor = normalised.to(features.dtype)
        return result

    @torch.no_grad()
    def _update_statistics(self, mean: Tensor, variance: Tensor) -> None:
        """Move the running statistics as torch does; `momentum` None is a plain mean."""
        if self.num_batches_tracked is None or self.running_mean is None:
            return
        self.num_batches_tracked.add_(1)
        momentum = self.momentum
        if momentum is None:
            momentum = 1 / float(self.num_batches_tracked)
        assert self.running_var is not None
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), momentum)
        self.running_var.lerp_(variance.to(self.running_var.dtype), momentum)


@contextmanager
def synchronised_batch_norm(network: nn.Module, *, active: bool = True) -> Iterator[None]:
    """Inside, the batch normalisation of a network is synchronised; afterwards it is as before.

    Args:
        network: has its layers of batch normalisation replaced.
        active: False changes nothing.
    """
    replaced: list[tuple[nn.Module, str, _BatchNorm, SyncBatchNorm]] = []
    for parent in list(network.modules()) if active else ():
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.BatchNorm1d | nn.BatchNorm2d):
                synchronised = SyncBatchNorm(child)
                setattr(parent, name, synchronised)
                replaced.append((parent, name, child, synchronised))
    try:
        yield
    finally:
        for parent, name, norm, synchronised in replaced:
            # They may have moved to a GPU.
            norm._buffers.update(synchronised._buffers)
            norm.train(synchronised.training)
            setattr(parent, name, norm)
