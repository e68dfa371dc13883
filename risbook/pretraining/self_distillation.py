"""Self-distillation, as DINOv2 does it: a student predicts the outputs of its own moving average.

DINOv2: learning robust visual features without supervision (Oquab et al., 2024), section 4:

- image term: the student's class token of every crop predicts the teacher's class token of the
  other large crops (DINO);
- patch term: the student's tokens, those of masked patches among them, predict the teacher's
  tokens of the same patches (iBOT);
- the teacher's targets are spread over all prototypes by Sinkhorn's iteration;
- KoLeo: the class tokens of a batch are spread apart.

Four things suit small towers and short runs. Both terms share a head, as in iBOT (Zhou et al.,
2022), which DINOv2 separates only for large towers. The teacher is sharper: with DINOv2's
temperatures its first targets are so even that the student's outputs never leave 1/K. The full
image size, DINOv2's last phase, is mixed in from the beginning. And in the patch term the
teacher's window lies a few patches away and has other colours, where DINOv2's teacher gets the
student's own window, so that neither position nor colour alone gives a patch away.
"""

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from risbook.pretraining.distillation_losses import (
    ProjectionHead,
    distillation_loss,
    koleo_loss,
    sinkhorn,
)
from risbook.pretraining.image_corpus import ImageCorpus
from risbook.pretraining.multi_crop import CropBatch, CropConfig, sample_crops, unique_objects
from risbook.pretraining.pretraining_objective import PretrainingConfig, PretrainingObjective
from risbook.towers.image_transformer import ImageTransformer


@dataclass(frozen=True)
class DistillationConfig:
    """Sizes and shares of the batches of self-distillation, and the weights of its terms.

    Args:
        crops: the batch of most steps.
        full_size_crops: the batch of the others, with crops of the size at which the tower will
            be used.
        full_size_every: one step in so many has crops of the full size.
        mask_ratio: share of the patches that is masked for the student, from and to, in half of
            the large crops.
        num_prototypes: number K of prototypes, the classes that the student predicts.
        temperature: divides the teacher's logits; the student's are divided by 0.1.
        momentum: how much of the teacher stays at each step at the beginning; 1 at the end.
        patch_weight: weight of the patch term.
        koleo_weight: weight of KoLeo.
    """

    crops: CropConfig = field(default_factory=CropConfig)
    full_size_crops: CropConfig = field(
        default_factory=lambda: CropConfig(
            batch_size=16,
            object_share=0.0,
            region_area=(0.4, 1.0),
            large_size=96,
            large_area=(0.5, 1.0),
            num_small=0,
        )
    )
    full_size_every: int = 6
    mask_ratio: tuple[float, float] = (0.1, 0.5)
    num_prototypes: int = 512
    temperature: float = 0.02
    momentum: float = 0.99
    patch_weight: float = 3.0
    koleo_weight: float = 0.1


class DistillationObjective(PretrainingObjective):
    """Self-distillation of an image tower: step and generator to scalar losses by name.

    `forward` samples the crops of the step.

    Args:
        tower: the student. The teacher starts as a copy of it; at the end the teacher is kept.
        corpus: the training images.
        config: sizes, shares and weights.
        loop: the length of the run, its learning rate and its seed.
    """

    def __init__(
        self,
        *,
        tower: ImageTransformer,
        corpus: ImageCorpus,
        config: DistillationConfig,
        loop: PretrainingConfig,
    ) -> None:
        super().__init__(loop)
        self.corpus = corpus
        self.config = config
        self._objects = unique_objects(corpus.objects)
        head = ProjectionHead(
            embed_dim=tower.embed_dim,
            hidden_dim=256,
            bottleneck_dim=64,
            num_prototypes=config.num_prototypes,
        )
        self.student = nn.ModuleDict({"tower": tower, "head": head})
        self.teacher = copy.deepcopy(self.student).requires_grad_(False)

    @property
    def tower(self) -> ImageTransformer:
        """The teacher's tower, which is kept at the end."""
        return self._tower(self.teacher)

    def forward(self, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Losses of a step, under "loss" their weighted sum."""
        config = self.config
        crops = self.sample_crops(step, generator)
        device = next(self.student.parameters()).device
        mask = self.sample_mask(len(crops.student), crops.student.shape[-1], generator).to(device)

        with torch.no_grad():
            teacher_tokens = self._tokens(self.teacher, crops.teacher.to(device))
            targets = self._targets(teacher_tokens[:, 0]).chunk(2)
            teacher_patches = self._matched(teacher_tokens, [pair[1] for pair in crops.matches])
            patch_targets = self._targets(teacher_patches)

        head = self.student["head"]
        tokens = self._tokens(self.student, crops.student.to(device), mask)
        # Each large crop predicts the teacher's other one, each small crop both.
        first, second = head(tokens[:, 0]).chunk(2)
        image_terms = [distillation_loss(first, targets[1]), distillation_loss(second, targets[0])]
        if len(crops.small):
            small = head(self._tokens(self.student, crops.small.to(device))[:, 0])
            for logits in small.split(len(first)):
                image_terms += [distillation_loss(logits, target) for target in targets]
        image_loss = torch.stack(image_terms).mean()
        patches = self._matched(tokens, [pair[0] for pair in crops.matches])
        patch_loss = distillation_loss(head(patches), patch_targets)
        spread = torch.stack([koleo_loss(half) for half in tokens[:, 0].chunk(2)]).mean()
        loss = image_loss + config.patch_weight * patch_loss + config.koleo_weight * spread
        prefix = "wide_" if self.is_full_size(step) else ""
        terms = {f"{prefix}image": image_loss, f"{prefix}patch": patch_loss, "koleo": spread}
        return {"loss": loss, **{name: term.detach() for name, term in terms.items()}}

    @torch.no_grad()
    def update(self, step: int, steps: int) -> None:
        """Move the teacher towards the student, less and less."""
        progress = (math.cos(math.pi * step / steps) + 1) / 2
        momentum = 1 - (1 - self.config.momentum) * progress
        for old, new in zip(self.teacher.parameters(), self.student.parameters(), strict=True):
            old.lerp_(new, 1 - momentum)

    def is_full_size(self, step: int) -> bool:
        """Whether a step has crops of the tower's own image size."""
        return step % self.config.full_size_every == self.config.full_size_every - 1

    def sample_crops(self, step: int, generator: torch.Generator) -> CropBatch:
        """The crops of a step, on the CPU."""
        config = self.config.full_size_crops if self.is_full_size(step) else self.config.crops
        with torch.autocast("cpu", enabled=False):  # colours are mixed in float32
            return sample_crops(
                self.corpus, self._objects, config, generator, patch_size=self.tower.patch_size
            )

    def sample_mask(self, count: int, size: int, generator: torch.Generator) -> Tensor:
        """Which patches of the large crops are masked for the student: bool (count, N).

        The masked patches form rectangles. Half of the crops are left whole.
        """
        side = size // self.tower.patch_size
        low, high = self.config.mask_ratio
        masks = torch.zeros(count, side, side, dtype=torch.bool)
        for mask in masks[::2]:
            ratio = float(torch.rand(1, generator=generator)) * (high - low) + low
            num_masked = max(1, round(ratio * side * side))
            for _ in range(20):
                if int(mask.sum()) >= num_masked:
                    break
                height, width = torch.randint(1, side // 2 + 1, (2,), generator=generator).tolist()
                top = int(torch.randint(side - height + 1, (1,), generator=generator))
                left = int(torch.randint(side - width + 1, (1,), generator=generator))
                mask[top : top + height, left : left + width] = True
        return masks[torch.randperm(count, generator=generator)].flatten(1)

    @staticmethod
    def _tower(network: nn.ModuleDict) -> ImageTransformer:
        tower = network["tower"]
        assert isinstance(tower, ImageTransformer)
        return tower

    def _tokens(self, network: nn.ModuleDict, views: Tensor, mask: Tensor | None = None) -> Tensor:
        tower = self._tower(network)
        tokens, _ = tower.embed(views, mask=mask)
        return tower.forward_final(tower.forward_blocks(tokens))

    def _matched(self, tokens: Tensor, patches: Sequence[Tensor]) -> Tensor:
        """Tokens of the matched patches of the first and the second half of the crops, (M, C)."""
        first, second = tokens[:, self.tower.num_extra_tokens :].chunk(2)
        halves = (first[:, patches[0]], second[:, patches[1]])
        return torch.cat([half.flatten(0, 1) for half in halves])

    def _targets(self, tokens: Tensor) -> Tensor:
        return sinkhorn(self.teacher["head"](tokens), self.config.temperature)
