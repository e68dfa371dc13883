"""Distillation of features: the patches of a small tower predict those of a frozen large one.

DINOv2's own small models are distilled from its largest one and not trained alone (Oquab et al.,
2024, section 5). The loss here is simpler than theirs. Like AM-RADIO (Ranzinger et al., 2024), the
student regresses the teacher's features, so the teacher's features of every image can be computed
once and kept.

Four of five patches of a drawn scene are background, and most of the teacher's variance is among
them. So the targets are the teacher's features in the directions in which the patches of described
objects differ from each other, scaled to equal variance, and patches outside of the boxes of
described objects weigh less.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from risbook.files import write_atomically
from risbook.pretraining.augmentations import crop, jitter_brightness, normalise_views
from risbook.pretraining.image_corpus import ImageCorpus
from risbook.pretraining.pretraining_objective import PretrainingConfig, PretrainingObjective
from risbook.pretraining.region_vectors import box_weights
from risbook.progress_bar import progress_bar
from risbook.towers.image_transformer import ImageTransformer
from risbook.towers.weights.origin import weights_origin

_BATCH = 50


@dataclass(frozen=True)
class FeatureDistillationConfig:
    """What a student learns from a teacher's features.

    Args:
        teacher: name of the teacher.
        teacher_block: the block after which its features are taken, counted from 0.
        teacher_size: side of the teacher's images, pixels; with its patch size this gives the
            student's number of patches.
        student_size: side of the student's images, pixels.
        num_images: images of the corpus that are used, each also mirrored.
        batch_size: images per batch.
        num_directions: directions D of the teacher's features that are kept.
        background_weight: weight of a patch outside of all boxes of described objects; inside it
            is 1.
        class_weight: weight of the class token's term.
    """

    teacher: str = "dinov2-s"
    teacher_block: int = 8
    teacher_size: int = 168
    student_size: int = 96
    num_images: int = 6_000
    batch_size: int = 64
    num_directions: int = 64
    background_weight: float = 0.2
    class_weight: float = 0.25


@dataclass(frozen=True)
class TeacherFeatures:
    """Targets of V views, N patches each: first all images, then all images mirrored.

    Args:
        patches: float16 (V, N, D).
        class_tokens: float16 (V, D).
        foreground: float16 (V, N): the share of each patch that boxes of described objects cover.
    """

    patches: Tensor
    class_tokens: Tensor
    foreground: Tensor

    def as_dict(self) -> dict[str, Tensor]:
        """The tensors by name."""
        names = ("patches", "class_tokens", "foreground")
        return {name: getattr(self, name) for name in names}


def whitening(features: Tensor, num_directions: int) -> tuple[Tensor, Tensor]:
    """Mean and whitened principal directions of features.

    Args:
        features: (M, C), M larger than D.
        num_directions: D.

    Returns:
        The mean (C,), and a matrix (C, D): features minus the mean, times the matrix, are
        uncorrelated and have variance 1.
    """
    mean = features.mean(dim=0)
    centred = features - mean
    variance, directions = torch.linalg.eigh(centred.T @ centred / (len(features) - 1))
    kept = directions[:, -num_directions:].flip(1)
    return mean, kept / variance[-num_directions:].flip(0).clamp_min(1e-8).sqrt()


def foreground_weights(corpus: ImageCorpus, num_images: int, side: int) -> Tensor:
    """The share of each patch that boxes of described objects cover, (num_images, side, side)."""
    weights = torch.zeros(num_images, side, side)
    canvas_side = corpus.canvas.shape[-1]
    boxes = {(entry.image_index, entry.box) for entry in corpus.objects}
    chosen = sorted(entry for entry in boxes if entry[0] < num_images)
    covered = box_weights(torch.tensor([box for _, box in chosen]) / canvas_side, (side, side))
    for (index, _), weight in zip(chosen, covered, strict=True):
        weights[index] = torch.maximum(weights[index], weight)
    return weights


def compute_teacher_features(
    teacher: ImageTransformer, corpus: ImageCorpus, config: FeatureDistillationConfig
) -> TeacherFeatures:
    """The targets of the first images of a corpus and of their mirror images."""
    count = min(config.num_images, len(corpus))
    side = config.teacher_size // teacher.patch_size
    foreground = foreground_weights(corpus, count, side)
    # The mean and the directions come from the first images.
    fitted = [_features(teacher, corpus, part, config) for part in _parts(min(count, 1000))]
    tokens = torch.cat([patches.flatten(0, 1) for patches, _ in fitted])
    on_objects = foreground[: min(count, 1000)].flatten() > 0.5
    mean, matrix = whitening(tokens[on_objects], config.num_directions)
    pooled = torch.cat([class_tokens for _, class_tokens in fitted])
    class_mean, class_matrix = whitening(pooled, min(config.num_directions, len(pooled) - 1))
    patches, class_tokens = [], []
    for mirrored in (False, True):
        for part in progress_bar(_parts(count), desc="teacher", unit="batch"):
            part_patches, part_class = _features(teacher, corpus, part, config, mirrored=mirrored)
            patches.append(((part_patches - mean) @ matrix).half())
            class_tokens.append(((part_class - class_mean) @ class_matrix).half())
    both = torch.cat([foreground, foreground.flip(-1)]).flatten(1).half()
    return TeacherFeatures(torch.cat(patches), torch.cat(class_tokens), both)


def _parts(count: int) -> list[range]:
    return [range(start, min(start + _BATCH, count)) for start in range(0, count, _BATCH)]


@torch.inference_mode()
def _features(
    teacher: ImageTransformer,
    corpus: ImageCorpus,
    indices: Sequence[int],
    config: FeatureDistillationConfig,
    *,
    mirrored: bool = False,
) -> tuple[Tensor, Tensor]:
    """Normalised features of patches (B, N, C) and of class tokens (B, C) of whole images."""
    images = normalise_views(whole_views(corpus, indices, config.teacher_size, mirrored=mirrored))
    tokens, grid = teacher.embed(images)
    tokens = teacher.forward_blocks(tokens, 0, config.teacher_block + 1, grid=grid).float()
    tokens = F.layer_norm(tokens, tokens.shape[-1:])
    return tokens[:, teacher.num_extra_tokens :], tokens[:, 0]


def whole_views(
    corpus: ImageCorpus, indices: Sequence[int], size: int, *, mirrored: bool = False
) -> Tensor:
    """Whole canvases of a corpus, (B, 3, size, size) in [0, 1]."""
    side = float(corpus.canvas.shape[-1])
    boxes = torch.tensor([[0.0, 0.0, side, side]]).expand(len(indices), -1)
    views = crop(corpus.canvas[list(indices)], boxes, size)
    return views.flip(-1) if mirrored else views


def read_or_compute(
    path: Path | None,
    teacher: ImageTransformer,
    corpus: ImageCorpus,
    config: FeatureDistillationConfig,
) -> TeacherFeatures:
    """The targets from a file, or computed and written there.

    Args:
        path: the file; None to keep nothing. A file of other settings is written anew.
        teacher: the teacher.
        corpus: the images.
        config: what is computed.
    """
    about = json.dumps(
        {
            "config": asdict(config),
            "teacher": weights_origin(teacher).sha256,
            "images": len(corpus),
        },
        sort_keys=True,
    )
    if path is not None and path.is_file():
        with safe_open(path, framework="pt") as file:
            is_same = (file.metadata() or {}).get("about") == about
        if is_same:
            return TeacherFeatures(**load_file(path))
    features = compute_teacher_features(teacher, corpus, config)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with write_atomically(path) as temporary:
            save_file(features.as_dict(), temporary, metadata={"about": about})
    return features


class FeatureDistillationObjective(PretrainingObjective):
    """Distillation of features: step and generator to scalar losses by name.

    Args:
        tower: the student, C channels.
        features: the teacher's.
        corpus: the images of the features.
        config: sizes and weights.
        loop: the length of the run, its learning rate and its seed.
    """

    def __init__(
        self,
        *,
        tower: ImageTransformer,
        features: TeacherFeatures,
        corpus: ImageCorpus,
        config: FeatureDistillationConfig,
        loop: PretrainingConfig,
    ) -> None:
        super().__init__(loop)
        self.tower = tower
        self.features = features
        self.corpus = corpus
        self.config = config
        self.patch_head = nn.Linear(tower.embed_dim, features.patches.shape[-1])
        self.class_head = nn.Linear(tower.embed_dim, features.class_tokens.shape[-1])

    def forward(self, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Loss of a step; "patches" and "class" are mean squared errors, 1 for a constant."""
        num_views = len(self.features.patches)
        numbers = torch.randint(num_views, (self.config.batch_size,), generator=generator)
        views = self._views(numbers)
        views = jitter_brightness(views, generator)
        device = self.patch_head.weight.device
        tokens, grid = self.tower.embed(normalise_views(views).to(device))
        tokens = self.tower.forward_final(self.tower.forward_blocks(tokens, grid=grid))
        patches = self.patch_head(tokens[:, self.tower.num_extra_tokens :]).float()
        errors = (patches - self.features.patches[numbers].to(device).float()).square().mean(-1)
        weights = self.features.foreground[numbers].to(device).float()
        weights = self.config.background_weight + (1 - self.config.background_weight) * weights
        patch_loss = (errors * weights).sum() / weights.sum()
        class_tokens = self.class_head(tokens[:, 0]).float()
        class_loss = F.mse_loss(
            class_tokens, self.features.class_tokens[numbers].to(device).float()
        )
        loss = patch_loss + self.config.class_weight * class_loss
        return {"loss": loss, "patches": patch_loss.detach(), "class": class_loss.detach()}

    def _views(self, numbers: Tensor) -> Tensor:
        num_images = len(self.features.patches) // 2
        views = whole_views(self.corpus, (numbers % num_images).tolist(), self.config.student_size)
        mirrored = (numbers >= num_images)[:, None, None, None]
        return torch.where(mirrored, views.flip(-1), views)


def init_from_clip(student: ImageTransformer, clip: ImageTransformer) -> None:
    """Start a DINOv2 transformer from a CLIP transformer of the same width and depth.

    Patch embedding, position embeddings, class token, blocks and the last norm are copied; the
    norm before CLIP's blocks has no counterpart, and registers and LayerScale stay as they are.
    """
    source = clip.vit.state_dict()
    positions = source.pop("pos_embed")
    source["cls_token"] = source["cls_token"] + positions[:, :1]
    source["pos_embed"] = positions[:, 1:]
    target = student.vit.state_dict()
    target["patch_embed.proj.bias"] = torch.zeros_like(
        target["patch_embed.proj.bias"]
    )  # CLIP: none
    target.update({name: value for name, value in source.items() if name in target})
    student.vit.load_state_dict(target)
