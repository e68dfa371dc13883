"""Self-distillation, as DINOv2 has it: a student agrees with a slow copy of itself.

DINOv2: learning robust visual features without supervision (Oquab et al., 2024), section 4:

- whole-image term: the student's class token of every crop agrees with the teacher's class token
  of the other large crops (DINO);
- patch term: the student's tokens, those of hidden patches among them, agree with the teacher's
  tokens of the visible patches (iBOT);
- the teacher's answers are spread over all prototypes by Sinkhorn's iteration;
- KoLeo: the class tokens of a batch keep away from each other.

Four things are as they suit small towers and short runs. Both terms share a head, as in iBOT
(Zhou et al., 2022), which DINOv2 separates only for large towers. The teacher is sharper: with
DINOv2's temperatures its first answers are so even that the student's never leave 1/K. The full
picture size, DINOv2's last phase, comes in between from the beginning. And in the patch term the
teacher sees the crop a few patches away and in other colours, where DINOv2's sees what the student
sees, so that neither place nor colour alone gives a patch away.
"""

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from risbook.pretraining.image_corpus import Pictures
from risbook.pretraining.multi_crop import CropConfig, Crops, draw_crops, things
from risbook.towers.image_transformer import ImageTransformer


@torch.no_grad()
def sinkhorn(logits: Tensor, temperature: float, iterations: int = 3) -> Tensor:
    """Turn the teacher's logits into answers that use every prototype equally.

    Args:
        logits: (B, K).
        temperature: divides the logits; smaller is sharper.
        iterations: how often rows and columns are scaled in turn.

    Returns:
        (B, K), rows sum to 1.

    >>> answers = sinkhorn(torch.tensor([[2.0, 1.0], [1.0, 0.0]]), 1.0, iterations=20)
    >>> answers.sum(dim=0).round(decimals=2).tolist()
    [1.0, 1.0]
    """
    scores = logits.float() / temperature
    answers = torch.exp(scores - scores.max())
    for _ in range(iterations):
        answers = answers / answers.sum(dim=0, keepdim=True).clamp(min=1e-12)
        answers = answers / answers.sum(dim=1, keepdim=True).clamp(min=1e-12)
    return answers


def distillation_loss(student: Tensor, teacher: Tensor, temperature: float = 0.1) -> Tensor:
    """Cross-entropy of the student's logits (B, K) with the teacher's answers (B, K)."""
    return -(teacher * F.log_softmax(student.float() / temperature, dim=-1)).sum(dim=-1).mean()


def koleo_loss(vectors: Tensor) -> Tensor:
    """Minus the mean log distance of every vector (B, C) to its nearest neighbour in the batch.

    Spreading vectors for similarity search (Sablayrolles et al., 2019), equation 3.
    """
    unit = F.normalize(vectors.float(), dim=-1)
    cosine = (unit @ unit.T).detach().fill_diagonal_(-1)
    nearest = cosine.argmax(dim=1)
    return -torch.log((unit - unit[nearest]).norm(dim=1) + 1e-6).mean()


class Head(nn.Module):
    """Three layers, a unit vector, and its cosines with K prototypes (DINO's head).

    Args:
        width: width of the tokens.
        hidden: width of the layers between.
        bottleneck: width of the unit vector.
        prototypes: K.
    """

    def __init__(self, *, width: int, hidden: int, bottleneck: int, prototypes: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(width, hidden),
            nn.GELU(),
            nn.Linear(hidden, hidden),
            nn.GELU(),
            nn.Linear(hidden, bottleneck),
        )
        for layer in self.layers:
            if isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, std=layer.in_features**-0.5)
                nn.init.zeros_(layer.bias)
        self.prototypes = nn.Parameter(torch.randn(prototypes, bottleneck))

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (..., C) to logits (..., K) between -1 and 1."""
        unit = F.normalize(self.layers(tokens).float(), dim=-1)
        return unit @ F.normalize(self.prototypes.float(), dim=-1).T


@dataclass(frozen=True)
class DistillationConfig:
    """What self-distillation looks at, and how it is weighed.

    Args:
        crops: the batch of most steps.
        wide: the batch of the others, with crops of the size at which the tower will be used.
        wide_every: a step in so many is a wide one.
        hidden: share of the patches that is hidden from the student, from and to, in half of the
            large crops.
        prototypes: K.
        temperature: divides the teacher's logits; the student's are divided by 0.1.
        momentum: how much of the teacher stays at each step at the beginning; 1 at the end.
        patch_weight: weight of the patch term.
        koleo_weight: weight of KoLeo.
    """

    crops: CropConfig = field(default_factory=CropConfig)
    wide: CropConfig = field(
        default_factory=lambda: CropConfig(
            parts=16, close=0.0, anywhere=(0.4, 1.0), large=96, large_area=(0.5, 1.0), smalls=0
        )
    )
    wide_every: int = 6
    hidden: tuple[float, float] = (0.1, 0.5)
    prototypes: int = 512
    temperature: float = 0.02
    momentum: float = 0.99
    patch_weight: float = 3.0
    koleo_weight: float = 0.1


class SelfDistillation(nn.Module):
    """The objective: draws a batch for a step and returns its losses.

    Args:
        tower: the student; the teacher starts as its copy and is what is kept in the end.
        pictures: the training pictures.
        config: what is looked at.
    """

    def __init__(
        self, *, tower: ImageTransformer, pictures: Pictures, config: DistillationConfig
    ) -> None:
        super().__init__()
        self.pictures = pictures
        self.config = config
        self._things = things(pictures.objects)
        head = Head(width=tower.width, hidden=256, bottleneck=64, prototypes=config.prototypes)
        self.student = nn.ModuleDict({"tower": tower, "head": head})
        self.teacher = copy.deepcopy(self.student).requires_grad_(False)

    @property
    def tower(self) -> nn.Module:
        """The teacher's tower: the one to keep."""
        return self.teacher["tower"]

    def forward(self, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Draw the batch of a step and compute its losses, under "loss" their weighted sum."""
        config = self.config
        crops = self.crops(step, generator)
        device = next(self.student.parameters()).device
        hidden = self.hide(len(crops.student), crops.student.shape[-1], generator).to(device)

        with torch.no_grad():
            seen = self._tokens(self.teacher, crops.teacher.to(device))
            answers = self._answers(seen[:, 0]).chunk(2)
            patch_answers = self._answers(self._matched(seen, [pair[1] for pair in crops.pairs]))

        head = self.student["head"]
        student = self._tokens(self.student, crops.student.to(device), hidden)
        first, second = head(student[:, 0]).chunk(2)
        image_terms = [distillation_loss(first, answers[1]), distillation_loss(second, answers[0])]
        if len(crops.small):
            closer = head(self._tokens(self.student, crops.small.to(device))[:, 0])
            for one in closer.split(len(first)):
                image_terms += [distillation_loss(one, answer) for answer in answers]
        image_loss = torch.stack(image_terms).mean()
        patches = self._matched(student, [pair[0] for pair in crops.pairs])
        patch_loss = distillation_loss(head(patches), patch_answers)
        spread = torch.stack([koleo_loss(half) for half in student[:, 0].chunk(2)]).mean()
        loss = image_loss + config.patch_weight * patch_loss + config.koleo_weight * spread
        kind = "wide_" if self.is_wide(step) else ""
        return {
            "loss": loss,
            f"{kind}image": image_loss.detach(),
            f"{kind}patch": patch_loss.detach(),
            "koleo": spread.detach(),
        }

    @torch.no_grad()
    def update(self, step: int, steps: int) -> None:
        """Move the teacher towards the student, less and less."""
        keep = 1 - (1 - self.config.momentum) * (math.cos(math.pi * step / steps) + 1) / 2
        for old, new in zip(self.teacher.parameters(), self.student.parameters(), strict=True):
            old.lerp_(new, 1 - keep)

    def is_wide(self, step: int) -> bool:
        """Whether a step looks at large crops of the tower's own picture size."""
        return step % self.config.wide_every == self.config.wide_every - 1

    def crops(self, step: int, generator: torch.Generator) -> Crops:
        """The crops of a step, on the CPU."""
        config = self.config.wide if self.is_wide(step) else self.config.crops
        with torch.autocast("cpu", enabled=False):  # colours are mixed in float32
            patch = self._tower(self.student).patch
            return draw_crops(self.pictures, self._things, config, generator, patch=patch)

    def hide(self, count: int, size: int, generator: torch.Generator) -> Tensor:
        """Which patches of the large crops the student does not see, bool (count, N): rectangles.

        Half of the crops are left whole. At least one patch is hidden somewhere.
        """
        side = size // self._tower(self.student).patch
        low, high = self.config.hidden
        hidden = torch.zeros(count, side, side, dtype=torch.bool)
        for one in hidden[::2]:
            share = float(torch.rand(1, generator=generator)) * (high - low) + low
            wanted = max(1, round(share * side * side))
            for _ in range(20):
                if int(one.sum()) >= wanted:
                    break
                height, width = torch.randint(1, side // 2 + 1, (2,), generator=generator).tolist()
                top = int(torch.randint(side - height + 1, (1,), generator=generator))
                left = int(torch.randint(side - width + 1, (1,), generator=generator))
                one[top : top + height, left : left + width] = True
        order = torch.randperm(count, generator=generator)
        return hidden[order].flatten(1)

    @staticmethod
    def _tower(network: nn.ModuleDict) -> ImageTransformer:
        tower = network["tower"]
        assert isinstance(tower, ImageTransformer)
        return tower

    def _tokens(
        self, network: nn.ModuleDict, views: Tensor, hidden: Tensor | None = None
    ) -> Tensor:
        tower = self._tower(network)
        tokens, _ = tower.embed(views, hidden=hidden)
        return tower.finish(tower.run(tokens))

    def _matched(self, tokens: Tensor, patches: Sequence[Tensor]) -> Tensor:
        """The tokens of some patches of the first and the second half of the crops, (M, C)."""
        first, second = tokens[:, self._tower(self.student).prefix :].chunk(2)
        halves = (first[:, patches[0]], second[:, patches[1]])
        return torch.cat([half.flatten(0, 1) for half in halves])

    def _answers(self, tokens: Tensor) -> Tensor:
        return sinkhorn(self.teacher["head"](tokens), self.config.temperature)
