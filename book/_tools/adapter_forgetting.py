"""Record what an image tower forgets while it learns to point, and how large its change is.

python book/_tools/adapter_forgetting.py --seeds 0 1

The task, the data and the loss are those of chapter 3.1: patches of the last four blocks of
`clip-mini-image` learn to point to the object of a sentence. Every 20 steps three numbers are
recorded: the loss on the first 40 training scenes, the share of held-out sentences whose best patch
lies on the object, and the share of 120 held-out captions that find their image by the class token.
So methods can be compared at the same training loss. Runs whose file exists are not repeated.

After full tuning, the change of each weight matrix is replaced by the matrix of rank r that is
closest to it, and the pointing accuracy is measured again.
"""

import argparse
import copy
import datetime
import platform
import time
from pathlib import Path
from typing import Any, NamedTuple

import torch
from book_config import ROOT
from torch import Tensor, nn
from torch.nn import functional as F

from risbook import __version__
from risbook.adapters import apply_peft
from risbook.data import ReferData, open_data
from risbook.data.letterbox import Letterbox
from risbook.files import write_json
from risbook.pretraining.tower_probes import sample_scenes
from risbook.probing.encoding import encode_text
from risbook.probing.retrieval import evaluate_retrieval
from risbook.towers.build import build_tower, tokenizer_of

FOLDER = ROOT / "book" / "results" / "adapter-forgetting"
IMAGE_SIZE, FIRST_BLOCK, STEPS, EVERY = 96, 8, 100, 20
BLOCKS = range(FIRST_BLOCK, 12)
RANKS = (1, 2, 4, 8, 16, 32)

#: name of a run -> method, options, learning rate
RUNS: dict[str, tuple[str, dict[str, Any], float]] = {
    "full-3e-4": ("full", {}, 3e-4),
    "parallel-3e-3": ("parallel", {"bottleneck_dim": 8, "blocks": BLOCKS}, 3e-3),
    "parallel-1e-3": ("parallel", {"bottleneck_dim": 8, "blocks": BLOCKS}, 1e-3),
    "full-1e-3": ("full", {}, 1e-3),
    "lora-3e-3": ("lora", {}, 3e-3),
}


class Scenes(NamedTuple):
    """Scenes of a split; the lists have an entry per scene."""

    image_ids: tuple[int, ...]
    tokens: Tensor  # (B, N, C) before the first tuned block
    text_emb: list[Tensor]  # (sentences, P) each
    mask_fraction: list[Tensor]  # (sentences, N): share of each patch that the object covers


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Record what a tower forgets in training.")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    seeds = parser.parse_args().seeds
    torch.set_num_threads(1)
    data = open_data("refscenes+")
    tower = build_tower("clip-mini-image").requires_grad_(False)
    train, held_out = load_scenes(data, tower, "train", 160), load_scenes(data, tower, "val", 120)
    captions = [data.caption(image_id) for image_id in held_out.image_ids]
    text_tower, tokenizer = build_tower("clip-mini-text"), tokenizer_of("clip-mini-text", length=77)
    caption_emb = encode_text(text_tower, tokenizer, captions)
    FOLDER.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        for key in RUNS:
            path = FOLDER / f"{key}-{seed}.json"
            if not path.is_file():
                record(path, key, seed, tower, train, held_out, caption_emb, captions)
                print(path.name, flush=True)


def record(
    path: Path,
    key: str,
    seed: int,
    tower: nn.Module,
    train: Scenes,
    held_out: Scenes,
    caption_emb: Tensor,
    captions: list[str],
) -> None:
    """Train one method and write its result file."""
    method, options, learning_rate = RUNS[key]
    torch.manual_seed(seed)
    tuned_tower = apply_peft(copy.deepcopy(tower), method, **options)
    tuned = [value for value in tuned_tower.parameters() if value.requires_grad]
    optimizer = torch.optim.Adam(tuned, lr=learning_rate)
    generator = torch.Generator().manual_seed(seed + 1)
    rows, start = [], time.process_time()
    for step in range(STEPS + 1):
        if step % EVERY == 0:
            scores = measure(tuned_tower, train, held_out, caption_emb, captions)
            rows.append({"row": f"{key}, step {step}", "step": step, **scores})
        if step == STEPS:
            break
        batch = torch.randperm(len(train.tokens), generator=generator)[:8].tolist()
        loss = pointing_loss(tuned_tower, train, batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if method == "full":
        rows += measure_ranks(key, tower, tuned_tower, held_out)
    content = {
        "suite": "adapter-forgetting",
        "command": f"python book/_tools/adapter_forgetting.py --seeds {seed}",
        "row": key,
        "seed": seed,
        "date": datetime.date.today().isoformat(),
        "device": f"{platform.machine()} CPU, {torch.get_num_threads()} threads",
        "precision": "no",
        "risbook": __version__,
        "torch": torch.__version__,
        "learning_rate": learning_rate,
        "seconds": round(time.process_time() - start, 1),
        "rows": rows,
    }
    write_json(path, content)


def load_scenes(data: ReferData, tower: Any, split: str, count: int) -> Scenes:
    """Sample scenes, and compute all that stays the same in training."""
    text_tower, tokenizer = build_tower("clip-mini-text"), tokenizer_of("clip-mini-text", length=24)
    scenes = sample_scenes(data, [split], count)
    text_emb, mask_fraction = [], []
    for image_id in scenes.image_ids:
        rows = [row for row in data.expressions.split(split) if row.image_id == image_id]
        letterbox = Letterbox(height=rows[0].height, width=rows[0].width, size=IMAGE_SIZE)
        masks = torch.stack([torch.from_numpy(letterbox.mask(data.mask(row))) for row in rows])
        text_emb.append(encode_text(text_tower, tokenizer, [row.sent for row in rows]).clone())
        mask_fraction.append(F.avg_pool2d(masks, tower.patch_size).flatten(1))
    tokens = []
    with torch.no_grad():
        for images in scenes.images(IMAGE_SIZE).split(20):
            tokens.append(tower.forward_blocks(tower.embed(images)[0], stop=FIRST_BLOCK))
    return Scenes(scenes.image_ids, torch.cat(tokens), text_emb, mask_fraction)


def run_last_blocks(tower: Any, tokens: Tensor) -> Tensor:
    """Finish the tower: (B, N, C) to unit vectors (B, N, P), the class token first."""
    tokens = tower.forward_final(tower.forward_blocks(tokens, FIRST_BLOCK))
    return F.normalize(tokens, dim=-1)


def pointing_loss(tower: nn.Module, scenes: Scenes, batch: list[int]) -> Tensor:
    """Cross-entropy over the patches, mean over all sentences of the scenes."""
    losses = []
    vectors = run_last_blocks(tower, scenes.tokens[batch])[:, 1:]
    for patches, scene in zip(vectors, batch, strict=True):
        fraction = scenes.mask_fraction[scene]
        target = fraction / fraction.sum(dim=1, keepdim=True)
        log_probs = (20 * scenes.text_emb[scene] @ patches.T).log_softmax(dim=1)
        losses.append(-(target * log_probs).sum(dim=1))
    return torch.cat(losses).mean()


@torch.no_grad()
def measure(
    tower: nn.Module, train: Scenes, held_out: Scenes, caption_emb: Tensor, captions: list[str]
) -> dict[str, float]:
    """Training loss, pointing accuracy and caption recall of a tower."""
    vectors = run_last_blocks(tower, held_out.tokens)
    recall = evaluate_retrieval(vectors[:, 0], caption_emb, captions).text_to_image.r1
    return {
        "training loss": float(pointing_loss(tower, train, list(range(40)))),
        "pointing accuracy": pointing_accuracy(vectors[:, 1:], held_out),
        "caption recall": recall,
    }


def pointing_accuracy(vectors: Tensor, scenes: Scenes) -> float:
    """Share of sentences whose best patch is covered by the object by a quarter at least."""
    hits = []
    for patches, emb, fraction in zip(vectors, scenes.text_emb, scenes.mask_fraction, strict=True):
        best = (emb @ patches.T).argmax(dim=1, keepdim=True)
        hits.append(fraction.gather(1, best)[:, 0] > 1 / 4)
    return float(torch.cat(hits).float().mean())


@torch.no_grad()
def measure_ranks(
    key: str, tower: nn.Module, tuned_tower: nn.Module, held_out: Scenes
) -> list[dict[str, Any]]:
    """Pointing accuracy with the change of each matrix reduced to rank r."""
    rows = []
    for rank in RANKS:
        reduced = copy.deepcopy(tuned_tower)
        share = []
        for name, value in reduced.named_parameters():
            old = tower.get_parameter(name)
            if value.ndim != 2 or value.equal(old):
                continue
            left, singular, right = torch.linalg.svd(value - old, full_matrices=False)
            value.copy_(old + left[:, :rank] * singular[:rank] @ right[:rank])
            share.append(float(singular[:rank].square().sum() / singular.square().sum()))
        accuracy = pointing_accuracy(run_last_blocks(reduced, held_out.tokens)[:, 1:], held_out)
        energy = sum(share) / len(share)
        rows.append({"row": f"{key}, rank {rank}", "pointing accuracy": accuracy, "share": energy})
    return rows


if __name__ == "__main__":
    main()
