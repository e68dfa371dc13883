"""Contrastive pretraining, as CLIP does it: an image and its sentence get similar vectors.

Learning transferable visual models from natural language supervision (Radford et al., 2021),
section 2.3. Three things differ from CLIP, because RefScenes is small:

- Some steps take whole scenes with their captions, the others crops of one object with an
  expression. Colours and counts suffice to tell scenes apart, so a network trained on scenes alone
  does not learn shapes.
- In a step with scenes, regions of their last feature maps are compared with expressions as well,
  see `region_vectors`. Without it a patch of the small transformer says little about the kind of
  thing that it shows.
- A batch holds the same sentence more than once. All images of a sentence count as positives, in
  equal parts.
"""

import random
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from risbook.errors import DataError
from risbook.pretraining.augmentations import (
    boxes_around,
    crop,
    jitter_brightness,
    normalise_views,
    uniform,
)
from risbook.pretraining.image_corpus import Box, ImageCorpus
from risbook.pretraining.pretraining_objective import PretrainingConfig, PretrainingObjective
from risbook.pretraining.region_vectors import region_vectors
from risbook.tokenizers.word_tokenizer import WordTokenizer
from risbook.towers.clip import CLIP


def contrastive_loss(logits: Tensor, positives: Tensor) -> Tensor:
    r"""Cross-entropy in both directions, with equal sentences as equally right targets.

    $$L = \tfrac12\left(H(P, \mathrm{softmax}(Z)) + H(P^T, \mathrm{softmax}(Z^T))\right)$$

    Args:
        logits: Z, scaled cosines of B images with their B sentences, (B, B).
        positives: bool (B, B), symmetric: whether sentences i and j are the same. The rows of P
            are these, divided by their sums. The identity matrix gives CLIP's loss.

    Returns:
        A scalar.

    >>> contrastive_loss(torch.zeros(4, 4), torch.eye(4).bool()).exp().round().item()
    4.0
    """
    targets = positives.float() / positives.sum(dim=1, keepdim=True)
    return (F.cross_entropy(logits, targets) + F.cross_entropy(logits.T, targets)) / 2


@dataclass(frozen=True)
class ContrastiveConfig:
    """Sizes and shares of the batches of contrastive pretraining.

    Args:
        scene_size: side of a whole scene's view, pixels.
        object_size: side of an object's view, pixels.
        scene_batch: scenes per batch.
        object_batch: objects per batch, in the other steps.
        object_steps: steps with objects after every step with scenes.
        zoom: smallest and largest side of an object's view, in units of the object's longer side.
        max_words: longest part of a caption, words.
        expression_share: share of the scenes that come with an expression of one of their objects
            in place of their caption.
        scene_regions: described objects per scene whose regions are compared with an expression;
            0 for none.
    """

    scene_size: int = 96
    object_size: int = 48
    scene_batch: int = 96
    object_batch: int = 256
    object_steps: int = 2
    zoom: tuple[float, float] = (1.05, 2.8)
    max_words: int = 36
    expression_share: float = 0.2
    scene_regions: int = 0


class SceneViews(NamedTuple):
    """Views of whole scenes with their text.

    Args:
        views: (B, 3, S, S) in [0, 1].
        texts: B texts.
        scene_indices: (B,): number of each scene in the corpus.
        boxes: (B, 4): where the view lies on its canvas, x, y, width and height, pixels.
    """

    views: Tensor
    texts: list[str]
    scene_indices: Tensor
    boxes: Tensor


class Regions(NamedTuple):
    """Regions of views with an expression each.

    Args:
        view_indices: (N,): number of the view in the batch.
        boxes: (N, 4): x, y, width and height in units of the view's side.
        texts: N expressions that name no place.
    """

    view_indices: Tensor
    boxes: Tensor
    texts: list[str]


class ContrastiveObjective(PretrainingObjective):
    """Contrastive pretraining of two towers: step and generator to scalar losses by name.

    `forward` samples the images and the sentences of the step.

    Args:
        clip: the pair of towers; a frozen tower is not trained.
        tokenizer: of the text tower.
        corpus: the training images.
        config: sizes and shares.
        loop: the length of the run, its learning rate and its seed.

    Raises:
        DataError: if every expression may name a place. A crop of an object does not show where
            the object lies, so crops need expressions without places.
    """

    def __init__(
        self,
        *,
        clip: CLIP,
        tokenizer: WordTokenizer,
        corpus: ImageCorpus,
        config: ContrastiveConfig,
        loop: PretrainingConfig,
    ) -> None:
        super().__init__(loop)
        self.clip = clip
        self.tokenizer = tokenizer
        self.corpus = corpus
        self.config = config
        self.objects = [described for described in corpus.objects if not described.spatial]
        if not self.objects:
            raise DataError(
                "every sentence here may name a place; take refscenes+ or refscenesg as well"
            )
        self._expressions: list[list[str]] = [[] for _ in range(len(corpus))]
        # for each scene, the boxes of its objects with their expressions that name no place
        self._texts_of_boxes: list[dict[Box, list[str]]] = [{} for _ in range(len(corpus))]
        for described in corpus.objects:
            self._expressions[described.image_index].append(described.text)
            if not described.spatial:
                texts_of_boxes = self._texts_of_boxes[described.image_index]
                texts_of_boxes.setdefault(described.box, []).append(described.text)

    def forward(self, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Losses of a step, and under "scenes_right", "regions_right" or "objects_right" the share
        of images or regions whose most similar sentence is their own.
        """
        if step % (1 + self.config.object_steps) > 0:
            views, texts = self.sample_objects(generator)
            images = normalise_views(views).to(self.device)
            return self._compare("objects", self.clip.image_tower.pooled(images), texts)
        scenes = self.sample_scenes(generator)
        images = normalise_views(scenes.views).to(self.device)
        if not self.config.scene_regions:
            return self._compare("scenes", self.clip.image_tower.pooled(images), scenes.texts)
        regions = self.sample_regions(scenes, generator)
        vectors, feature_map = self.clip.image_tower.pooled_with_map(images)
        losses = self._compare("scenes", vectors, scenes.texts)
        vectors = region_vectors(
            feature_map, regions.view_indices.to(self.device), regions.boxes.to(self.device)
        )
        region_losses = self._compare("regions", vectors, regions.texts)
        return {**losses, **region_losses, "loss": losses["loss"] + region_losses["loss"]}

    @property
    def device(self) -> torch.device:
        """Where the towers are."""
        return self.clip.logit_scale.device

    def _compare(self, name: str, vectors: Tensor, texts: list[str]) -> dict[str, Tensor]:
        """The contrastive loss of image vectors (B, P), not normalised, and their B sentences."""
        tokens = self.tokenizer(texts)
        tokens = tokens[:, : int((tokens != 0).sum(dim=1).max())].to(self.device)
        positives = (tokens[:, None] == tokens[None]).all(dim=-1)
        logits = self.clip.compare(vectors, self.clip.text_vectors(tokens))
        loss = contrastive_loss(logits.float(), positives)
        accuracy = positives.gather(1, logits.argmax(dim=1, keepdim=True)).float().mean()
        return {"loss": loss, name: loss.detach(), f"{name}_right": accuracy}

    def sample_scenes(self, generator: torch.Generator) -> SceneViews:
        """Whole scenes, moved and scaled a little, and a sentence each."""
        count = min(self.config.scene_batch, len(self.corpus))
        indices = torch.randperm(len(self.corpus), generator=generator)[:count]
        rng = _python_rng(generator)
        side = self.corpus.canvas.shape[-1]
        scale = uniform(count, 0.92, 1.08, generator) * side
        x, y = (
            (side - scale) / 2 + uniform(count, -0.04, 0.04, generator) * side for _ in range(2)
        )
        boxes = torch.stack([x, y, scale, scale], dim=1)
        views = crop(self.corpus.canvas[indices], boxes, self.config.scene_size)
        texts = [self._sample_text(index, rng) for index in indices.tolist()]
        return SceneViews(jitter_brightness(views, generator), texts, indices, boxes)

    def sample_regions(self, scenes: SceneViews, generator: torch.Generator) -> Regions:
        """Some described objects of each scene, with one expression each."""
        rng = _python_rng(generator)
        view_indices, boxes, texts = [], [], []
        for view, index in enumerate(scenes.scene_indices.tolist()):
            texts_of_boxes = self._texts_of_boxes[index]
            count = min(self.config.scene_regions, len(texts_of_boxes))
            for box in rng.sample(list(texts_of_boxes), count):
                view_indices.append(view)
                boxes.append(box)
                texts.append(rng.choice(texts_of_boxes[box]))
        views = torch.tensor(view_indices)
        origin, side = scenes.boxes[views, :2], scenes.boxes[views, 2:]
        absolute = torch.tensor(boxes)
        corners, sizes = absolute[:, :2], absolute[:, 2:]
        relative = torch.cat([(corners - origin) / side, sizes / side], dim=1)
        return Regions(views, relative, texts)

    def _sample_text(self, index: int, rng: random.Random) -> str:
        """Some sentences of a caption, in their order, or now and then an expression."""
        if rng.random() < self.config.expression_share and self._expressions[index]:
            return rng.choice(self._expressions[index])
        sentences = self.corpus.captions[index]
        max_sentences = rng.randint(1, len(sentences))
        order = rng.sample(range(len(sentences)), len(sentences))
        kept: list[int] = []
        num_words = 0
        for number in order:
            words = len(sentences[number].split())
            if len(kept) < max_sentences and num_words + words <= self.config.max_words:
                kept.append(number)
                num_words += words
        return " ".join(sentences[number] for number in sorted(kept)) or sentences[0]

    def sample_objects(self, generator: torch.Generator) -> tuple[Tensor, list[str]]:
        """Crops of objects, and expressions that name no place."""
        count = min(self.config.object_batch, len(self.objects))
        indices = torch.randperm(len(self.objects), generator=generator)[:count]
        objects = [self.objects[index] for index in indices.tolist()]
        boxes = torch.tensor([described.box for described in objects])
        boxes = boxes_around(boxes, self.config.zoom, generator)
        canvas = self.corpus.canvas[[described.image_index for described in objects]]
        views = crop(canvas, boxes, self.config.object_size)
        return jitter_brightness(views, generator), [described.text for described in objects]


def _python_rng(generator: torch.Generator) -> random.Random:
    return random.Random(int(torch.randint(2**31, (1,), generator=generator)))
