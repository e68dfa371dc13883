"""The contrastive objective: CLIP's loss where sentences differ, and what its batches hold."""

import torch
import torch.nn.functional as F

from risbook.pretraining.contrastive import (
    ContrastiveConfig,
    ContrastiveObjective,
    contrastive_loss,
)
from risbook.pretraining.image_corpus import ImageCorpus
from risbook.pretraining.pretraining_objective import PretrainingConfig
from risbook.tokenizers.word_tokenizer import WordTokenizer
from risbook.towers.clip import CLIP
from risbook.towers.image_transformer import ImageTransformer
from risbook.towers.text_transformer import TextTransformer


def objective(corpus: ImageCorpus, **config: int) -> ContrastiveObjective:
    torch.manual_seed(0)
    tokenizer = WordTokenizer.from_sentences(corpus.sentences(), length=77, ends=True)
    image = ImageTransformer(
        style="clip",
        embed_dim=32,
        depth=2,
        num_heads=2,
        patch_size=8,
        pos_grid=4,
        output_dim=16,
        out_indices=(0, 1),
    )
    text = TextTransformer(
        vocab_size=tokenizer.vocab_size,
        embed_dim=32,
        depth=2,
        num_heads=2,
        context_length=77,
        output_dim=16,
    )
    settings = ContrastiveConfig(scene_size=32, object_size=32, **config)
    clip = CLIP(image_tower=image, text_tower=text)
    loop = PretrainingConfig(steps=1)
    return ContrastiveObjective(
        clip=clip, tokenizer=tokenizer, corpus=corpus, config=settings, loop=loop
    )


def test_it_is_clips_loss_where_all_sentences_differ() -> None:
    logits = torch.randn(5, 5)
    labels = torch.arange(5)
    clip = (F.cross_entropy(logits, labels) + F.cross_entropy(logits.T, labels)) / 2
    assert torch.allclose(contrastive_loss(logits, torch.eye(5).bool()), clip)


def test_equal_sentences_are_equally_right() -> None:
    positives = torch.tensor([[1, 1, 0], [1, 1, 0], [0, 0, 1]]).bool()
    fair = torch.tensor([[9.0, 9.0, 0.0], [9.0, 9.0, 0.0], [0.0, 0.0, 9.0]])
    unfair = torch.tensor([[9.0, 0.0, 0.0], [0.0, 9.0, 0.0], [0.0, 0.0, 9.0]])
    assert contrastive_loss(fair, positives) < contrastive_loss(unfair, positives)
    # the entropy of the targets remains: two of three rows have two right ones
    floor = 2 / 3 * torch.tensor(2.0).log()
    assert torch.allclose(contrastive_loss(50 * fair, positives), floor, atol=1e-3)


def test_a_batch_follows_from_seed_and_step(corpus: ImageCorpus) -> None:
    contrastive = objective(corpus, scene_batch=6, object_batch=8)
    for step in (0, 1):
        first, second = (
            contrastive(step, torch.Generator().manual_seed(step))["loss"] for _ in range(2)
        )
        assert torch.equal(first, second)
        assert torch.isfinite(first)


def test_crops_of_objects_come_with_expressions_that_name_no_place(corpus: ImageCorpus) -> None:
    contrastive = objective(corpus, scene_batch=6, object_batch=200)
    assert not any(entry.spatial for entry in contrastive.objects)
    _, texts = contrastive.sample_objects(torch.Generator().manual_seed(0))
    assert texts and set(texts) <= {entry.text for entry in corpus.objects if not entry.spatial}


def test_a_text_is_a_part_of_the_caption_or_an_expression(corpus: ImageCorpus) -> None:
    contrastive = objective(corpus, scene_batch=6, object_batch=8)
    scenes = contrastive.sample_scenes(torch.Generator().manual_seed(0))
    texts = scenes.texts
    assert scenes.views.shape == (len(texts), 3, 32, 32)
    sentences = {sentence for caption in corpus.captions for sentence in caption}
    sentences |= {entry.text for entry in corpus.objects}
    for text in texts:
        parts = [f"{part.rstrip('.')}." for part in text.split(". ")]
        assert text in sentences or sentences.issuperset(parts)


def test_regions_lie_where_their_objects_are_in_the_view(corpus: ImageCorpus) -> None:
    contrastive = objective(corpus, scene_batch=6, object_batch=8, scene_regions=2)
    scenes = contrastive.sample_scenes(torch.Generator().manual_seed(0))
    regions = contrastive.sample_regions(scenes, torch.Generator().manual_seed(1))
    side = corpus.canvas.shape[-1]
    assert len(regions.texts) == len(regions.boxes) == len(regions.view_indices) > 6
    for view, box, text in zip(regions.view_indices, regions.boxes, regions.texts, strict=True):
        described = [
            entry
            for entry in corpus.objects
            if entry.image_index == scenes.scene_indices[view] and entry.text == text
        ]
        # back from units of the view to pixels of the canvas
        x, y, width, _ = scenes.boxes[view]
        on_canvas = torch.stack(
            [x + box[0] * width, y + box[1] * width, box[2] * width, box[3] * width]
        )
        assert any(
            torch.allclose(on_canvas, torch.tensor(entry.box), atol=1e-3 * side)
            for entry in described
        )
        assert not any(entry.spatial and entry.box == described[0].box for entry in described)


def test_regions_are_compared_in_steps_with_scenes_alone(corpus: ImageCorpus) -> None:
    contrastive = objective(corpus, scene_batch=6, object_batch=8, scene_regions=2)
    with_scenes = contrastive(0, torch.Generator().manual_seed(0))
    assert with_scenes.keys() == {"loss", "scenes", "scenes_right", "regions", "regions_right"}
    parts = with_scenes["scenes"] + with_scenes["regions"]
    assert torch.allclose(with_scenes["loss"].detach(), parts)
    assert contrastive(1, torch.Generator().manual_seed(0)).keys() == {
        "loss",
        "objects",
        "objects_right",
    }


def test_it_learns(corpus: ImageCorpus) -> None:
    contrastive = objective(corpus, scene_batch=6, object_batch=8)
    optimizer = torch.optim.AdamW(contrastive.parameters(), lr=1e-3)
    losses = []
    for step in range(1, 181, 3):
        loss = contrastive(step, torch.Generator().manual_seed(step))["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert sum(losses[-8:]) < 0.93 * sum(losses[:8])
