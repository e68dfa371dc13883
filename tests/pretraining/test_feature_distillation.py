"""Distillation of features: targets, their file, and a student that learns them."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from risbook.pretraining.feature_distillation import (
    FeatureDistillationConfig,
    FeatureDistillationObjective,
    TeacherFeatures,
    compute_teacher_features,
    foreground_weights,
    init_from_clip,
    read_or_compute,
    whitening,
)
from risbook.pretraining.image_corpus import ImageCorpus
from risbook.pretraining.pretraining_objective import PretrainingConfig
from risbook.towers.image_transformer import ImageTransformer

CONFIG = FeatureDistillationConfig(
    teacher_block=1,
    teacher_size=84,
    student_size=48,
    num_images=6,
    batch_size=4,
    num_directions=4,
)


def transformer(style: str, patch_size: int, **changes: object) -> ImageTransformer:
    sizes: dict[str, object] = {"embed_dim": 16, "depth": 2, "num_heads": 2, "pos_grid": 6}
    return ImageTransformer(style=style, patch_size=patch_size, **{**sizes, **changes})  # type: ignore[arg-type]


@pytest.fixture
def teacher() -> ImageTransformer:
    torch.manual_seed(0)
    return transformer("dinov2", 14, layer_scale=1.0).eval()


@pytest.fixture
def features(teacher: ImageTransformer, corpus: ImageCorpus) -> TeacherFeatures:
    return compute_teacher_features(teacher, corpus, CONFIG)


def test_whitened_features_are_uncorrelated_with_variance_one() -> None:
    torch.manual_seed(0)
    samples = torch.randn(500, 6) @ torch.randn(6, 6) + 3
    mean, matrix = whitening(samples, 4)
    whitened = (samples - mean) @ matrix
    assert torch.allclose(whitened.T @ whitened / 499, torch.eye(4), atol=1e-3)


def test_boxes_of_described_objects_are_the_foreground(corpus: ImageCorpus) -> None:
    weights = foreground_weights(corpus, 6, 6)
    side = corpus.canvas.shape[-1]
    entry = next(entry for entry in corpus.objects if entry.image_index < 6)
    x, y, width, height = entry.box
    column, row = int((x + width / 2) / side * 6), int((y + height / 2) / side * 6)
    assert weights[entry.image_index, row, column] > 0.3
    assert 0 < float(weights.mean()) < 0.9 and float(weights.max()) <= 1.0


def test_mirrored_images_have_targets_of_their_own(features: TeacherFeatures) -> None:
    assert features.patches.shape == (12, 36, 4) and features.class_tokens.shape == (12, 4)
    foreground = features.foreground.unflatten(1, (6, 6))
    assert torch.equal(foreground[6:], foreground[:6].flip(-1))
    assert not torch.equal(features.patches[6:], features.patches[:6])


def test_the_file_is_read_again_unless_settings_differ(
    teacher: ImageTransformer, corpus: ImageCorpus, tmp_path: Path
) -> None:
    path = tmp_path / "features.safetensors"
    first = read_or_compute(path, teacher, corpus, CONFIG)
    with torch.no_grad():
        teacher.vit.blocks[0].mlp.fc1.weight.add_(1)
    again = read_or_compute(path, teacher, corpus, CONFIG)
    assert all(torch.equal(again.as_dict()[name], value) for name, value in first.as_dict().items())
    fewer = read_or_compute(path, teacher, corpus, replace(CONFIG, num_images=3))
    assert len(fewer.patches) == 6


def test_a_student_learns_the_features(corpus: ImageCorpus, features: TeacherFeatures) -> None:
    torch.manual_seed(0)
    objective = FeatureDistillationObjective(
        tower=transformer("dinov2", 8, layer_scale=1.0, num_registers=2),
        features=features,
        corpus=corpus,
        config=CONFIG,
        loop=PretrainingConfig(steps=60),
    )
    optimizer = torch.optim.AdamW(objective.parameters(), lr=3e-3)
    losses = []
    for step in range(60):
        values = objective(step, torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        values["loss"].backward()
        optimizer.step()
        losses.append(float(values["patches"]))
    assert sum(losses[-8:]) < 0.8 * sum(losses[:8])


def test_a_student_starts_with_the_blocks_of_clip() -> None:
    clip = transformer("clip", 8, output_dim=8)
    student = transformer("dinov2", 8, layer_scale=1.0, num_registers=2)
    init_from_clip(student, clip)
    assert torch.equal(student.vit.blocks[1].attn.qkv.weight, clip.vit.blocks[1].attn.qkv.weight)
    assert torch.equal(student.vit.pos_embed, clip.vit.pos_embed[:, 1:])
    assert torch.equal(student.vit.cls_token, clip.vit.cls_token + clip.vit.pos_embed[:, :1])
    assert not student.vit.patch_embed.proj.bias.any()
