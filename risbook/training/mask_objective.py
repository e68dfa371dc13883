"""The objective of a system: its loss, its batches, its learning rates and its scores."""

from collections.abc import Iterator
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor

from risbook.errors import ArgumentError
from risbook.evaluation.score_system import score_system
from risbook.systems import System
from risbook.systems.losses import Loss, resize_target
from risbook.training.named_losses import named_losses
from risbook.training.objective import Objective
from risbook.training.parameter_groups import group_parameters
from risbook.training.sample_batches import load_batches
from risbook.training.schedule import group_lr
from risbook.training.training_config import TrainingConfig
from risbook.training.training_data import TrainingData


class MaskObjective(Objective):
    """A system together with its training samples and its evaluated splits.

    `forward` takes letterboxed images (B, 3, S, S), token ids (B, L) and masks (B, 1, S, S), and
    returns scalar losses by name. `evaluate` yields a row of scores per evaluated split.

    Args:
        system: the system to train.
        data: the samples and the evaluated splits.
        config: schedule, seed, and how often the splits are evaluated.
        accelerator: shares batches and evaluated expressions among its processes.
        loss: takes the place of the system's own.

    Raises:
        ArgumentError: for a batch that cannot be shared equally among the processes, and for
            learning rates of parameters that the system does not train.
    """

    system: System

    def __init__(
        self,
        system: System,
        data: TrainingData,
        config: TrainingConfig,
        *,
        accelerator: Accelerator,
        loss: Loss | None = None,
    ) -> None:
        super().__init__()
        self.system = system
        self.data = data
        self.config = config
        self.accelerator = accelerator
        self.loss: Loss = loss or system.loss
        self.samples = data.samples.with_image_size(system.image_size)
        self.groups = group_parameters(system, config.lr_multipliers)
        if data.batch_size % accelerator.num_processes:
            raise ArgumentError(
                f"a batch of {data.batch_size} cannot be shared by {accelerator.num_processes} "
                "processes"
            )

    def forward(self, images: Tensor, token_ids: Tensor, masks: Tensor) -> dict[str, Tensor]:
        """The losses of images (B, 3, S, S), ids (B, L) and masks (B, 1, S, S)."""
        logits = self.system(images, token_ids)
        target = resize_target(masks, logits.shape[-2:], sampling=self.config.target_sampling)
        return named_losses(self.loss(logits.float(), target))

    def batches(self, start: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Images, ids and masks on the device of the process; on a CPU images in channels_last."""
        device = self.accelerator.device
        for batch in load_batches(
            self.samples,
            batch_size=self.data.batch_size,
            seed=self.config.seed,
            start=start,
            process=self.accelerator.process_index,
            num_processes=self.accelerator.num_processes,
            num_workers=self.config.num_workers,
        ):
            images = batch.images.to(device)
            if device.type == "cpu":
                images = images.contiguous(memory_format=torch.channels_last)
            yield images, self.system.tokenizer(batch.texts).to(device), batch.masks.to(device)

    def optimizer_groups(self) -> list[dict[str, Any]]:
        """One group for each learning rate, see `group_parameters`."""
        return self.groups

    def learning_rate(self, step: int, *, peak: float, lr_scale: float) -> float:
        """By the configured schedule."""
        return group_lr(
            self.config, step, epoch_steps=self.data.epoch_steps, peak=peak, lr_scale=lr_scale
        )

    def log_values(self, step: int) -> dict[str, float]:
        """The epoch, in fractions: a whole number where `batches` begins another epoch."""
        return {"epoch": step / self.data.epoch_steps}

    def evaluation_is_due(self, step: int) -> bool:
        """After every `eval_every` steps and after the last."""
        due = step == self.config.steps or step % self.config.eval_every == 0
        return bool(self.data.eval_splits) and due

    def evaluate(self) -> Iterator[dict[str, Any]]:
        """A row per evaluated split."""
        for (name, split), dataset in self.data.eval_splits.items():
            summary = score_system(
                self.system,
                dataset,
                limit=self.config.eval_limit,
                precision=self.config.precision,
                accelerator=self.accelerator,
                show_progress=False,
            ).summary()
            scores = {"mIoU": summary.miou, "oIoU": summary.oiou, "count": summary.count}
            yield {"set": name, "split": split, **scores}

    def saved_state(self) -> dict[str, Tensor]:
        """The tensors that a checkpoint of the system holds."""
        return self.system.saved_state()

    def load_saved_state(self, state: dict[str, Tensor]) -> None:
        """Load the result of `saved_state`."""
        self.system.load_saved_state(state)
