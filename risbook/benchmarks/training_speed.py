"""How long a training step takes, how much memory it needs, and its share of the machine's peak."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import default_collate
from torch.utils.flop_counter import (
    FlopCounterMode,
    sdpa_backward_flop_count,
    sdpa_flop_count,
)

from risbook.benchmarks.bench_system import Weights, build_bench_system
from risbook.benchmarks.stopwatch import (
    measure_duration,
    measure_peak,
    peak_memory,
    reset_peak_memory,
)
from risbook.config import Precision
from risbook.data import ReferringDataset
from risbook.layers.precision import DTYPES, choose_precision, without_tf32
from risbook.towers.transformer_tower import set_grad_checkpointing
from risbook.training.run import channels_last_on_cpu


@dataclass(frozen=True)
class TrainingSpeed:
    """The measured training steps of a preset.

    Args:
        system: the preset's name.
        weights: see `bench_system.EXPLANATIONS`.
        batch_size: samples per step.
        precision: the arithmetic, "no" for float32.
        seconds: median time per step, see `Duration.seconds`.
        wall_seconds: median wall time per step.
        flops: operations per step, a multiplication and an addition counted as two.
        peak: operations per second of a matrix product on this machine.
        memory: the most memory of the measured steps, bytes; on a CPU of the whole process so far,
            see `peak_memory`.
    """

    system: str
    weights: Weights
    batch_size: int
    precision: str
    seconds: float
    wall_seconds: float
    flops: int
    peak: float
    memory: int | None

    @property
    def share_of_peak(self) -> float:
        """Operations per second, divided by those of a matrix product: the HFU."""
        return self.flops / self.seconds / self.peak


@without_tf32()
def measure_training(
    name: str,
    dataset: ReferringDataset,
    *,
    device: torch.device,
    batch_size: int = 2,
    steps: int = 3,
    precision: Precision = "no",
    grad_checkpointing: bool = False,
) -> TrainingSpeed:
    """Take training steps of a preset, as `risbook train` does, on the first samples of a dataset.

    A first step warms up and counts the operations. The peak is measured before and after the
    steps that count, and the better one is taken. float32 means float32 here, while `risbook train`
    leaves the convolutions of a GPU to torch, which may compute them in TF32.

    Args:
        name: a preset's name.
        dataset: at least one sample; they are repeated to fill a batch.
        device: where the system computes.
        batch_size: samples per step.
        steps: steps that are measured.
        precision: the arithmetic.
        grad_checkpointing: whether frozen layers are computed again in the backward pass.

    Raises:
        ArgumentError: if there is no such preset, or for an arithmetic that the device lacks.
    """
    chosen = choose_precision(precision, device)
    dtype = DTYPES[chosen]
    bench = build_bench_system(name)
    system = bench.system.to(device).train()
    set_grad_checkpointing(system, grad_checkpointing)
    data = dataset.changed(image_size=system.image_size)
    batch = default_collate([data[index % len(data)] for index in range(batch_size)])
    images, masks = batch["image"].to(device), batch["mask"].to(device)
    token_ids = system.tokenizer(batch["text"]).to(device)
    tuned = [parameter for parameter in system.parameters() if parameter.requires_grad]
    optimizer = torch.optim.Adam(tuned, lr=1e-4)

    def step() -> None:
        with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
            logits = system(images, token_ids)
        loss = system.loss(logits.float(), masks)
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        optimizer.step()

    with channels_last_on_cpu(system, device):
        if device.type == "cpu":
            images = images.contiguous(memory_format=torch.channels_last)
        flops = count_flops(step)
        peak = measure_peak(device, dtype)
        reset_peak_memory(device)  # the matrices of the peak are larger than many a step
        durations = [measure_duration(step, device) for _ in range(steps)]
        memory = peak_memory(device)
    return TrainingSpeed(
        system=name,
        weights=bench.weights,
        batch_size=batch_size,
        precision=chosen,
        seconds=statistics.median(duration.seconds(device) for duration in durations),
        wall_seconds=statistics.median(duration.wall for duration in durations),
        flops=flops,
        peak=max(peak, measure_peak(device, dtype)),
        memory=memory,
    )


def count_flops(function: Callable[[], object]) -> int:
    """Operations of the products in a computation, by torch's counter."""
    aten = torch.ops.aten
    # the counter knows the attention of GPUs only
    attention: dict[Any, Any] = {
        aten._scaled_dot_product_flash_attention_for_cpu: _attention_flops,
        aten._scaled_dot_product_flash_attention_for_cpu_backward: _attention_backward_flops,
    }
    with FlopCounterMode(display=False, custom_mapping=attention) as counter:
        function()
    return int(counter.get_total_flops())


def _attention_flops(
    query: Any, key: Any, value: Any, *_: Any, out_shape: Tensor | None = None, **__: Any
) -> int:
    return int(sdpa_flop_count(query, key, value))  # type: ignore[no-untyped-call]


def _attention_backward_flops(
    grad: Any, query: Any, key: Any, value: Any, *_: Any, out_shape: Any = None, **__: Any
) -> int:
    count = sdpa_backward_flop_count(grad, query, key, value)  # type: ignore[no-untyped-call]
    return int(count)
