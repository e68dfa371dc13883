"""Self-distillation, as DINOv2 has it: a student agrees with a slow copy of itself.

DINOv2: learning robust visual features without supervision (Oquab et al., 2024), section 4:

- whole-image term: the student's class token of every crop agrees with the teacher's class token
  of the other large crops (DINO);
- patch term: where the student's patches are hidden, its tokens agree with the teacher's tokens of
  the visible patches (iBOT);
- the teacher's answers are spread over all prototypes by Sinkhorn's iteration;
- KoLeo: the class tokens of a batch keep away from each other.
"""

import copy
import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from risbook.pretraining.pictures import Pictures
from risbook.pretraining.views import crop, flip, jitter_colours, normalise_views, random_boxes
from risbook.towers.image_transformer import ImageTransformer

#: what divides the teacher's logits; the student's are divided by 0.1
TEACHER_TEMPERATURE = 0.05


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


def agreement(student: Tensor, teacher: Tensor, temperature: float = 0.1) -> Tensor:
    """Cross-entropy of the student's logits (B, K) with the teacher's answers (B, K)."""
    return -(teacher * F.log_softmax(student.float() / temperature, dim=-1)).sum(dim=-1).mean()


def koleo(vectors: Tensor) -> Tensor:
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
        batch: pictures a step.
        large: side of the two large crops, pixels.
        small: side of the small crops, pixels.
        smalls: number of small crops.
        large_area: share of the picture that a large crop shows, from and to.
        small_area: the same for a small crop.
        hidden: share of the patches that is hidden from the student, from and to, in half of the
            large crops.
        prototypes: K.
        momentum: how much of the teacher stays at each step at the beginning; 1 at the end.
        patch_weight: weight of the patch term.
        koleo_weight: weight of KoLeo.
    """

    batch: int = 48
    large: int = 64
    small: int = 40
    smalls: int = 4
    large_area: tuple[float, float] = (0.35, 1.0)
    small_area: tuple[float, float] = (0.08, 0.35)
    hidden: tuple[float, float] = (0.1, 0.5)
    prototypes: int = 256
    momentum: float = 0.99
    patch_weight: float = 1.0
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
        shape = {"width": tower.width, "hidden": 256, "bottleneck": 64}
        heads = nn.ModuleDict(
            {name: Head(**shape, prototypes=config.prototypes) for name in ("image", "patch")}
        )
        self.student = nn.ModuleDict({"tower": tower, "heads": heads})
        self.teacher = copy.deepcopy(self.student).requires_grad_(False)

    @property
    def tower(self) -> nn.Module:
        """The teacher's tower: the one to keep."""
        return self.teacher["tower"]

    def forward(self, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Draw the batch of a step and compute its losses, under "loss" their weighted sum."""
        config = self.config
        large, small = self.views(generator)
        hidden = self.hide(len(large), generator).to(large.device)
        temperature = TEACHER_TEMPERATURE

        with torch.no_grad():
            seen = self._tokens(self.teacher, large)
            image = self._heads(self.teacher, "image")(seen[:, 0])
            answers = [sinkhorn(half, temperature) for half in image.chunk(2)]
            patches = self._heads(self.teacher, "patch")(self._patches(seen)[hidden])
            patch_answers = sinkhorn(patches, temperature)

        student = self._tokens(self.student, large, hidden)
        image_head = self._heads(self.student, "image")
        first, second = image_head(student[:, 0]).chunk(2)
        image_terms = [agreement(first, answers[1]), agreement(second, answers[0])]
        if config.smalls:
            closer = image_head(self._tokens(self.student, small)[:, 0])
            for one in closer.chunk(config.smalls):
                image_terms += [agreement(one, answer) for answer in answers]
        image_loss = torch.stack(image_terms).mean()
        patch_logits = self._heads(self.student, "patch")(self._patches(student)[hidden])
        patch_loss = agreement(patch_logits, patch_answers)
        spread = sum(koleo(half) for half in student[:, 0].chunk(2)) / 2
        loss = image_loss + config.patch_weight * patch_loss + config.koleo_weight * spread
        return {
            "loss": loss,
            "image": image_loss.detach(),
            "patch": patch_loss.detach(),
            "koleo": torch.as_tensor(spread).detach(),
        }

    @torch.no_grad()
    def update(self, step: int, steps: int) -> None:
        """Move the teacher towards the student, less and less."""
        keep = 1 - (1 - self.config.momentum) * (math.cos(math.pi * step / steps) + 1) / 2
        for old, new in zip(self.teacher.parameters(), self.student.parameters(), strict=True):
            old.lerp_(new, 1 - keep)

    def views(self, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Two large crops of each picture, (2 B, 3, S, S), and the small ones in turn."""
        config = self.config
        count = min(config.batch, len(self.pictures))
        chosen = torch.randperm(len(self.pictures), generator=generator)[:count]
        canvas, frame = self.pictures.canvas[chosen], self.pictures.frame[chosen]
        device = next(self.student.parameters()).device

        def batch(times: int, area: tuple[float, float], size: int, blur: float) -> Tensor:
            views = []
            for _ in range(times):
                boxes = random_boxes(frame, area, generator)
                view = flip(crop(canvas, boxes, size), generator)
                views.append(jitter_colours(view, generator, blur=blur))
            return normalise_views(torch.cat(views)).to(device)

        with torch.autocast("cpu", enabled=False):  # colours are mixed in float32
            large = batch(2, config.large_area, config.large, 0.5)
            if not config.smalls:
                return large, large[:0]
            return large, batch(config.smalls, config.small_area, config.small, 0.3)

    def hide(self, count: int, generator: torch.Generator) -> Tensor:
        """Which patches of the large crops the student does not see, bool (count, N): rectangles.

        Half of the crops are left whole. At least one patch is hidden somewhere.
        """
        patch = self._tower(self.student).patch
        side = self.config.large // patch
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

    @staticmethod
    def _heads(network: nn.ModuleDict, name: str) -> nn.Module:
        heads = network["heads"]
        assert isinstance(heads, nn.ModuleDict)
        return heads[name]

    def _tokens(
        self, network: nn.ModuleDict, views: Tensor, hidden: Tensor | None = None
    ) -> Tensor:
        tower = self._tower(network)
        tokens, _ = tower.embed(views, hidden=hidden)
        return tower.finish(tower.run(tokens))

    def _patches(self, tokens: Tensor) -> Tensor:
        return tokens[:, self._tower(self.student).prefix :]
