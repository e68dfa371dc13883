"""Contrastive pretraining, as CLIP has it: pictures and sentences that belong together meet.

Learning transferable visual models from natural language supervision (Radford et al., 2021),
section 2.3. Two things are different here, because the drawn world is small:

- One step in three looks at whole scenes and their captions, the others closely at one object
  and a sentence about it. Scenes alone can be told apart by colours and counts; a network that
  has only seen scenes does not know shapes.
- A batch holds the same sentence more than once. All pictures that a sentence was said of count
  as right answers, in equal parts.
"""

import random
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from risbook.errors import DataError
from risbook.pretraining.augmentations import around, crop, jitter_light, normalise_views, uniform
from risbook.pretraining.image_corpus import Pictures
from risbook.towers.clip import CLIP
from risbook.towers.word_tokenizer import WordTokenizer


def contrastive_loss(logits: Tensor, same: Tensor) -> Tensor:
    r"""Cross-entropy in both directions, with equal sentences as equally right answers.

    $$L = \tfrac12\left(H(P, \mathrm{softmax}(Z)) + H(P^T, \mathrm{softmax}(Z^T))\right)$$

    Args:
        logits: Z, scaled cosines of B images with their B sentences, (B, B).
        same: bool (B, B), symmetric: whether sentences i and j are the same; the rows of P are
            these, divided by their sums. The identity matrix gives CLIP's loss.

    Returns:
        A scalar.

    >>> contrastive_loss(torch.zeros(4, 4), torch.eye(4).bool()).exp().round().item()
    4.0
    """
    target = same.float() / same.sum(dim=1, keepdim=True)
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2


@dataclass(frozen=True)
class ContrastiveConfig:
    """What contrastive pretraining looks at.

    Args:
        scene_size: side of a whole scene's view, pixels.
        object_size: side of an object's view, pixels.
        scenes: scenes a batch.
        objects: objects a batch, in the other steps.
        close_steps: steps with objects after every step with scenes.
        zoom: smallest and largest side of an object's view, in units of the object's longer side.
        words: longest part of a caption that is read, words.
        expressions: share of the scenes that come with an expression of one of their objects
            in place of their caption.
    """

    scene_size: int = 96
    object_size: int = 48
    scenes: int = 96
    objects: int = 256
    close_steps: int = 2
    zoom: tuple[float, float] = (1.05, 2.8)
    words: int = 36
    expressions: float = 0.2


class Contrastive(nn.Module):
    """The objective: draws a batch for a step and returns its loss.

    Args:
        clip: the pair of towers; a tower whose parameters are frozen stays as it is.
        tokenizer: for the text tower.
        pictures: the training pictures.
        config: what is looked at.

    Raises:
        DataError: if every sentence may speak of places; close views need some that do not.
    """

    def __init__(
        self,
        *,
        clip: CLIP,
        tokenizer: WordTokenizer,
        pictures: Pictures,
        config: ContrastiveConfig,
    ) -> None:
        super().__init__()
        self.clip = clip
        self.tokenizer = tokenizer
        self.pictures = pictures
        self.config = config
        self._close = [one for one in pictures.objects if not one.placed]
        if not self._close:
            raise DataError(
                "no sentence here keeps quiet about places; take refscenes+ or refscenesg as well"
            )
        self._said: list[list[str]] = [[] for _ in range(len(pictures))]
        for one in pictures.objects:
            self._said[one.picture].append(one.text)

    def forward(self, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Draw the batch of a step and compute its losses, under "loss" their sum."""
        close = step % (1 + self.config.close_steps) > 0
        views, texts = self.objects(generator) if close else self.scenes(generator)
        device = self.clip.logit_scale.device
        tokens = self.tokenizer(texts)
        tokens = tokens[:, : int((tokens != 0).sum(dim=1).max())].to(device)
        same = (tokens[:, None] == tokens[None]).all(dim=-1)
        logits = self.clip(normalise_views(views).to(device), tokens)
        loss = contrastive_loss(logits.float(), same)
        right = same.gather(1, logits.argmax(dim=1, keepdim=True)).float().mean()
        name = "objects" if close else "scenes"
        return {"loss": loss, name: loss.detach(), f"{name}_right": right}

    def update(self, step: int, steps: int) -> None:
        """Nothing to do after an optimiser step."""

    def scenes(self, generator: torch.Generator) -> tuple[Tensor, list[str]]:
        """Whole scenes, moved and scaled a little, and what is said of them."""
        count = min(self.config.scenes, len(self.pictures))
        chosen = torch.randperm(len(self.pictures), generator=generator)[:count]
        rng = random.Random(int(torch.randint(2**31, (1,), generator=generator)))
        side = self.pictures.canvas.shape[-1]
        scale = uniform(count, 0.92, 1.08, generator) * side
        shift = [uniform(count, -0.04, 0.04, generator) * side for _ in range(2)]
        boxes = torch.stack([*((side - scale) / 2 + one for one in shift), scale, scale], dim=1)
        views = crop(self.pictures.canvas[chosen], boxes, self.config.scene_size)
        texts = [self._about(number, rng) for number in chosen.tolist()]
        return jitter_light(views, generator), texts

    def _about(self, number: int, rng: random.Random) -> str:
        """Some sentences of a caption, in their order, or now and then an expression."""
        if rng.random() < self.config.expressions and self._said[number]:
            return rng.choice(self._said[number])
        sentences = self.pictures.captions[number]
        wanted = rng.randint(1, len(sentences))
        order = rng.sample(range(len(sentences)), len(sentences))
        kept: list[int] = []
        length = 0
        for index in order:
            words = len(sentences[index].split())
            if len(kept) < wanted and length + words <= self.config.words:
                kept.append(index)
                length += words
        return " ".join(sentences[index] for index in sorted(kept)) or sentences[0]

    def objects(self, generator: torch.Generator) -> tuple[Tensor, list[str]]:
        """Close views of objects and sentences that do not speak of places."""
        count = min(self.config.objects, len(self._close))
        chosen = torch.randperm(len(self._close), generator=generator)[:count]
        described = [self._close[index] for index in chosen.tolist()]
        boxes = around(torch.tensor([one.box for one in described]), self.config.zoom, generator)
        canvas = self.pictures.canvas[[one.picture for one in described]]
        views = crop(canvas, boxes, self.config.object_size)
        return jitter_light(views, generator), [one.text for one in described]
