"""Training a system to segment: its samples, its loss, and its held-out splits."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor
from torch.utils.data import DataLoader

from risbook.data import open_data
from risbook.data.dataset import ReferData
from risbook.data.referring_dataset import ReferringDataset
from risbook.data.samples import EpochBatches, TrainingSamples, collate
from risbook.errors import RisbookError
from risbook.evaluation.score_system import score_system
from risbook.systems import System, build_system
from risbook.systems.system import resize_target
from risbook.training.objective import Objective
from risbook.training.training_config import TrainingConfig

#: logits (B, 1, h, w) and targets of the same size to a scalar
Loss = Callable[[Tensor, Tensor], Tensor]


class MaskObjective(Objective):
    """A system together with its training samples and its held-out splits.

    Args:
        config: the run.
        accelerator: shares batches and evaluated expressions among its processes.
        system: a system to train further, in place of a new one.
        sources: data sets by the names that `config.data` has for them, in place of opening those.
        loss: of logits and targets of their size, in place of the system's own.

    Raises:
        RisbookError: for missing or empty sets and wrong `eval_splits`, so that a run reports
            these mistakes before its first step.
    """

    system: System

    def __init__(
        self,
        config: TrainingConfig,
        *,
        accelerator: Accelerator,
        system: System | None = None,
        sources: Mapping[str, ReferData] | None = None,
        loss: Loss | None = None,
    ) -> None:
        super().__init__()
        self.config = config
        self.accelerator = accelerator
        self.loss = loss
        opened = dict(sources or {})
        sources = {name: opened.get(name) or self._open(name) for name in config.data}
        # The system's vocabulary may come from the samples, and their size from the system.
        self.samples = TrainingSamples(
            sources=list(sources.values()),
            splits=config.splits,
            image_size=1,
            seed=config.seed,
            text=config.text,
            cache_images=config.cache_images,
        )
        if not self.samples.objects:
            raise RisbookError(f"there is nothing to train on in {', '.join(config.data)}")
        if system is None:
            sentences = self.samples.sentences()
            system = build_system(config.system, sentences=sentences, overrides=config.overrides)
        self.system = system
        self.samples.image_size = self.system.image_size
        self.eval_splits = [
            self._open_split(eval_split, sources) for eval_split in config.eval_splits
        ]
        # At most all samples per step, and the same number for every process.
        self.batch_size = min(config.batch_size, len(self.samples))
        if self.batch_size % accelerator.num_processes:
            raise RisbookError(
                f"a batch of {self.batch_size} cannot be shared by {accelerator.num_processes} "
                "processes"
            )
        if accelerator.device.type == "cpu":
            self.system.to(memory_format=torch.channels_last)

    @property
    def epoch_steps(self) -> int:
        """Steps per epoch."""
        return len(self.samples) // self.batch_size

    def forward(self, image: Tensor, tokens: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """The loss of images (B, 3, S, S), ids (B, L) and masks (B, 1, S, S)."""
        logits = self.system(image, tokens)
        if self.loss is None:
            return {"loss": self.system.loss(logits, mask)}
        return {"loss": self.loss(logits.float(), resize_target(mask, logits.shape[-2:]))}

    def batches(self, start: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Batches on the device of the process, epoch after epoch."""
        device = self.accelerator.device
        epoch, batches_done = divmod(start, self.epoch_steps)
        while True:
            self.samples.epoch = epoch
            order = EpochBatches(
                count=len(self.samples),
                batch_size=self.batch_size,
                seed=self.config.seed,
                epoch=epoch,
                start=batches_done,
            )
            loader: DataLoader[Any] = DataLoader(
                self.samples,
                batch_sampler=order,
                collate_fn=collate,
                num_workers=self.config.num_workers,
                # Without this generator each new loader would draw from the one that dropout uses.
                # A resumed run makes one more loader and would get other weights.
                generator=torch.Generator().manual_seed(self.config.seed),
            )
            prepared = self.accelerator.prepare_data_loader(loader, device_placement=False)
            for batch in prepared:
                image = batch.image.to(device)
                if device.type == "cpu":
                    image = image.contiguous(memory_format=torch.channels_last)
                yield image, self.system.tokenizer(batch.texts).to(device), batch.mask.to(device)
            self.accelerator._dataloaders.remove(prepared)  # it would keep every epoch's loader
            epoch, batches_done = epoch + 1, 0

    def log_values(self, step: int) -> dict[str, float]:
        """The epoch, in fractions."""
        return {"epoch": step * self.batch_size / len(self.samples)}

    def evaluation_is_due(self, step: int) -> bool:
        """After every `eval_every` steps and after the last."""
        due = step == self.config.steps or step % self.config.eval_every == 0
        return bool(self.eval_splits) and due

    def evaluate(self) -> Iterator[dict[str, Any]]:
        """A row per split of `eval_splits`."""
        for name, split, source in self.eval_splits:
            summary = score_system(
                self.system,
                ReferringDataset(source, split=split, text=self.config.text),
                limit=self.config.eval_limit,
                accelerator=self.accelerator,
                show_progress=False,
            ).summary()
            scores = {"mIoU": summary.miou, "oIoU": summary.oiou, "count": summary.count}
            yield {"set": name, "split": split, **scores}

    def saved_state(self) -> dict[str, Tensor]:
        """The tensors that a checkpoint of the system holds."""
        return self.system.saved_state()

    def load_saved(self, state: dict[str, Tensor]) -> None:
        """Load the result of `saved_state`."""
        self.system.load_saved(state)

    def _open(self, name: str) -> ReferData:
        return open_data(
            name, partition=self.config.partition or None, images=self.config.images or None
        )

    def _open_split(
        self, eval_split: str, sources: dict[str, ReferData]
    ) -> tuple[str, str, ReferData]:
        name, _, split = eval_split.rpartition(":")
        if not name:
            raise RisbookError(
                f"eval_splits {eval_split!r}: write it as SET:SPLIT, for instance refscenes:val"
            )
        source = sources[name] if name in sources else self._open(name)
        source.expressions.split(split)  # an unknown split is refused here
        return name, split, source
