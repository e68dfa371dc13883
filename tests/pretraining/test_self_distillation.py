"""Self-distillation: its terms one by one, and the whole."""

import math

import torch
import torch.nn.functional as F

from risbook.pretraining.image_corpus import ImageCorpus
from risbook.pretraining.multi_crop import CropConfig
from risbook.pretraining.pretraining_objective import PretrainingConfig
from risbook.pretraining.self_distillation import (
    DistillationConfig,
    DistillationObjective,
    distillation_loss,
    koleo_loss,
    sinkhorn,
)
from risbook.towers.image_transformer import ImageTransformer


def objective(corpus: ImageCorpus) -> DistillationObjective:
    torch.manual_seed(0)
    tower = ImageTransformer(
        style="dinov2",
        embed_dim=32,
        depth=2,
        num_heads=2,
        patch_size=8,
        pos_grid=4,
        num_registers=4,
        layer_scale=0.1,
        out_indices=(0, 1),
    )
    crops = CropConfig(batch_size=4, large_size=32, small_size=16, num_small=2)
    wide = CropConfig(batch_size=2, object_share=0.0, large_size=64, num_small=0)
    config = DistillationConfig(
        crops=crops, full_size_crops=wide, full_size_every=4, num_prototypes=16
    )
    loop = PretrainingConfig(steps=1)
    return DistillationObjective(tower=tower, corpus=corpus, config=config, loop=loop)


def test_sinkhorn_uses_every_prototype_equally() -> None:
    torch.manual_seed(0)
    logits = torch.randn(64, 8) + torch.tensor([3.0, *7 * [0.0]])  # one prototype is preferred
    targets = sinkhorn(logits, 0.5, iterations=50)
    assert torch.allclose(targets.sum(dim=1), torch.ones(64))
    assert torch.allclose(targets.sum(dim=0), torch.full((8,), 8.0), rtol=1e-2)
    assert F.softmax(logits / 0.5, dim=1).sum(dim=0)[0] > 50


def test_the_loss_is_least_where_the_student_equals_the_teacher() -> None:
    teacher = F.softmax(torch.randn(6, 5), dim=1)
    logits = 0.1 * teacher.log()
    entropy = -(teacher * teacher.log()).sum(dim=1).mean()
    assert torch.allclose(distillation_loss(logits, teacher), entropy, atol=1e-5)
    assert distillation_loss(logits.roll(1, dims=0), teacher) > entropy


def test_koleo_rewards_distance() -> None:
    near = F.normalize(torch.tensor([[1.0, 0.0], [1.0, 0.1], [1.0, 0.2]]), dim=1)
    angles = torch.tensor([0.0, 2 * math.pi / 3, 4 * math.pi / 3])
    far = torch.stack([angles.cos(), angles.sin()], dim=1)
    assert koleo_loss(far) < koleo_loss(near)
    assert torch.allclose(koleo_loss(far), -torch.tensor(3.0).sqrt().log(), atol=1e-4)


def test_half_of_the_crops_have_masked_patches(corpus: ImageCorpus) -> None:
    distillation = objective(corpus)
    mask = distillation.sample_mask(40, 32, torch.Generator().manual_seed(0))
    assert mask.shape == (40, 16)
    ratios = mask.float().mean(dim=1)
    assert (ratios > 0).sum() == 20
    assert ratios.max() <= 0.85


def test_masked_patches_do_not_reach_the_tokens() -> None:
    tower = ImageTransformer(
        style="dinov2",
        embed_dim=16,
        depth=1,
        num_heads=2,
        patch_size=8,
        pos_grid=2,
        num_registers=4,
        out_indices=(0,),
    )
    images = torch.randn(1, 3, 16, 16)
    changed = images.clone()
    changed[:, :, :8, :8] = 0
    mask = torch.tensor([[True, False, False, False]])
    first, second = (tower.embed(batch, mask=mask)[0] for batch in (images, changed))
    assert torch.equal(first, second)
    assert not torch.equal(tower.embed(images)[0], tower.embed(changed)[0])


def test_only_the_student_learns_and_the_teacher_follows(corpus: ImageCorpus) -> None:
    distillation = objective(corpus)
    before = [value.clone() for value in distillation.teacher.parameters()]
    losses = distillation(0, torch.Generator().manual_seed(0))
    losses["loss"].backward()
    assert all(value.grad is None for value in distillation.teacher.parameters())
    student = distillation.student.named_parameters()
    assert all(value.grad is not None and value.grad.isfinite().all() for _, value in student)
    with torch.no_grad():
        for value in distillation.student.parameters():
            value.add_(1.0)
    distillation.update(0, 100)
    for old, new in zip(before, distillation.teacher.parameters(), strict=True):
        assert torch.allclose(new - old, torch.full_like(old, 0.01), atol=1e-5)


def test_it_learns(corpus: ImageCorpus) -> None:
    distillation = objective(corpus)
    optimizer = torch.optim.AdamW(distillation.student.parameters(), lr=2e-3)
    losses = []
    for step in range(40):
        terms = distillation(step, torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        terms["loss"].backward()
        optimizer.step()
        distillation.update(step, 40)
        if not distillation.is_full_size(step):
            losses.append(float(terms["image"] + terms["patch"]))
    assert sum(losses[-8:]) < 0.95 * sum(losses[:8])


def test_steps_of_the_full_size_have_no_small_crops(corpus: ImageCorpus) -> None:
    distillation = objective(corpus)
    sizes = []
    for step in range(4):
        crops = distillation.sample_crops(step, torch.Generator().manual_seed(step))
        assert crops.student.shape == crops.teacher.shape
        sizes.append((tuple(crops.student.shape[::3]), tuple(crops.small.shape[::3])))
    assert sizes == 3 * [((8, 32), (8, 16))] + [((4, 64), (0, 24))]
    terms = distillation(3, torch.Generator().manual_seed(0))
    assert set(terms) == {"loss", "wide_image", "wide_patch", "koleo"}
