"""Record what chapter 6.2 measures on several seeds and in longer runs.

python book/_tools/caa_controls.py drawn-world     four forms, five seeds; two at other rates
python book/_tools/caa_controls.py two-tokens      four forms without words, three seeds
python book/_tools/caa_controls.py longer          two forms, four times as long
python book/_tools/caa_controls.py text-adapters   released, with trained text adapters
python book/_tools/caa_controls.py identity        two forms whose FiLM starts at the scale 1
python book/_tools/caa_controls.py ranking         four forms, scored without a fixed threshold

The model, the training loop and the measurements are those of the chapter. A file is written after
every run, and runs that it holds are not repeated. In the part *text-adapters* the text tower of
the chapter's model has GLiA in the blocks 1, 5 and 9 and the text CAA in the blocks 3, 7 and 11,
and they are trained with it. The parts *identity* and *ranking* also score the logits, and the
masks after the attention's output is replaced by its mean over the patches.
"""

import argparse
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from book_config import BOOK, ROOT
from control_rows import write_rows
from first_model_ablations import read_definitions
from torch import Tensor, nn

from risbook.adapters.mica_options import TextMiCAConfig
from risbook.adapters.mica_placements import add_mica_text_adapters
from risbook.data import open_data
from risbook.evaluation.result_files import read_result
from risbook.systems.losses import cross_entropy_dice
from risbook.towers.build import build_tower

CHAPTER = BOOK / "mica" / "caa.ipynb"
FOLDER = ROOT / "book" / "results" / "caa-controls"

FORMS = ("released", "end token", "added", "both repairs")
EXTREMES = ("released", "both repairs")
Run = tuple[str, float, int, int]  # form, learning rate, steps, seed
RUNS: dict[str, list[Run]] = {
    "drawn-world": [
        *((form, 0.003, 300, seed) for seed in range(5) for form in FORMS),
        *((form, lr, 300, 0) for lr in (0.001, 0.01) for form in EXTREMES),
    ],
    "two-tokens": [(form, 0.003, 300, seed) for seed in range(3) for form in FORMS],
    "longer": [(form, 0.003, 1200, 0) for form in EXTREMES],
    "text-adapters": [("released", 0.003, 300, 0)],
    "identity": [
        (form, 0.003, 300, seed) for form in ("released", "end token") for seed in range(5)
    ],
    "ranking": [(form, 0.003, 300, 0) for form in FORMS],
}


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Record the controls of chapter 6.2.")
    parser.add_argument("part", choices=RUNS)
    part = parser.parse_args().part
    torch.set_num_threads(1)
    chapter = read_definitions(CHAPTER)
    record_runs(chapter, FOLDER / f"{part}.json", RUNS[part])


def record_runs(
    chapter: Mapping[str, Any], path: Path, runs: Sequence[Run], *, num_images: int | None = None
) -> None:
    """Train every run that the file does not hold; a row per run."""
    rows = read_result(path)["rows"] if path.is_file() else []
    seconds = read_result(path)["seconds"] if path.is_file() else 0.0
    done = {(row["row"], row["rate"], row["steps"], row["seed"]) for row in rows}
    data, towers = open_data("refscenes+"), chapter["FrozenTowers"]()
    train = towers.load(data, "train", num_images or chapter["NUM_TRAIN"])
    val = towers.load(data, "val", num_images or chapter["NUM_VAL"])
    two_tokens = path.stem == "two-tokens"
    for run in runs:
        if run in done:
            continue
        form, lr, steps, seed = run
        start = time.process_time()
        row = {"row": form, "rate": lr, "steps": steps, "seed": seed}
        row["set"] = f"refscenes+ val, {path.stem}, rate {lr:g}, {steps} steps"
        if path.stem == "text-adapters":
            row |= train_with_text(chapter, towers, train, val, run)
        else:
            options = {"seed": seed, "lr": lr, "steps": steps, "two_tokens": two_tokens}
            options["identity"] = path.stem == "identity"
            model = chapter["train_form"](form, towers, train, **options)
            row |= score(chapter, model, val, two_tokens=two_tokens)
        if path.stem in ("identity", "ranking"):
            row |= score_logits(chapter, model, val)
        rows.append(row)
        seconds += time.process_time() - start
        write_rows(path, rows, tool=__file__, seconds=seconds, arguments=[path.stem])
        print(row, flush=True)


def score(
    chapter: Mapping[str, Any], model: nn.Module, val: Any, *, two_tokens: bool = False
) -> dict[str, float]:
    """Mean IoU on the grid and, where there are words, the mean alignment."""
    masks = chapter["predict"](model, val, two_tokens=two_tokens)
    scores = {"mean IoU": round(float(chapter["patch_iou"](masks, val).mean()), 4)}
    if not two_tokens:
        for name, (mean, _) in chapter["mean_alignment"](model, val).items():
            scores[name] = round(mean, 4)
    return scores


@torch.no_grad()
def score_logits(chapter: Mapping[str, Any], model: Any, samples: Any) -> dict[str, float]:
    """Scores that need no fixed threshold, and the mean IoU without selection by the attention.

    *ranking* is the share of pairs of a patch of the described object and a patch of another
    object in which the former has the larger logit; *ranking, all* takes all other patches.
    """
    inputs = chapter["select"](samples, torch.arange(len(samples.rows)))
    logits, truth = model(*inputs), samples.masks >= 0.5
    pairs: dict[str, list[float]] = {"ranking": [], "ranking, all": []}
    for number, index in enumerate(samples.image_index.tolist()):
        others = torch.stack([region for _, region in samples.objects[index]]).any(dim=0)
        outside = {"ranking": others & ~truth[number], "ranking, all": ~truth[number]}
        for name, region in outside.items():
            share = chapter["alignment"](logits[number], truth[number], region)
            pairs[name] += [] if share is None else [share]
    scores = {name: sum(shares) / len(shares) for name, shares in pairs.items()}
    cuts = logits.quantile(torch.linspace(0.5, 0.99, 50)).tolist()
    ious = [float(chapter["patch_iou"](logits > cut, samples).mean()) for cut in cuts]
    scores["best mean IoU"] = max(ious)
    hook = model.caa.cross.register_forward_hook(average_patches)
    averaged = model(*inputs) > 0
    hook.remove()
    scores["mean IoU, O averaged"] = float(chapter["patch_iou"](averaged, samples).mean())
    return {name: round(score, 4) for name, score in scores.items()}


def average_patches(module: nn.Module, inputs: Any, attn_out: Tensor) -> Tensor:
    """Replace what the patches get from the text by its mean over the patches."""
    return attn_out.mean(dim=1, keepdim=True).expand_as(attn_out)


def train_with_text(
    chapter: Mapping[str, Any], towers: Any, train: Any, val: Any, run: Run
) -> dict[str, Any]:
    """Train a form together with adapters in the text tower; scores and sizes of the tokens."""
    form, lr, steps, seed = run
    torch.manual_seed(seed)
    condition, add_mixture = chapter["FORMS"][form]
    model = chapter["PatchModel"](towers, condition=condition, add_mixture=add_mixture)
    text_tower: Any = build_tower("clip-mini-40k-text").requires_grad_(False)
    sizes = {"bottleneck_dim": 32, "dropout": 0.0}
    add_mica_text_adapters(
        text_tower,
        TextMiCAConfig(blocks=(1, 5, 9), **sizes),
        TextMiCAConfig(blocks=(3, 7, 11), **sizes),
    )
    train_ids, val_ids = (
        towers.tokenizer([row.sent for row in samples.rows]) for samples in (train, val)
    )
    row = {f"{name}, untrained": size for name, size in spread(text_tower, val_ids).items()}
    trained = [*model.parameters(), *text_tower.adapters.parameters()]
    optimizer = torch.optim.Adam(trained, lr=lr)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, steps)
    order = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        index = torch.randint(len(train.rows), (16,), generator=order)
        images, _, padding = chapter["select"](train, index)
        text_tokens = text_tower.train()(train_ids[index]).text_tokens
        logits = model.train()(images, text_tokens, padding)
        loss = cross_entropy_dice(logits[:, None], train.masks[index][:, None])["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    model.eval()
    row |= {f"{name}, trained": size for name, size in spread(text_tower, val_ids).items()}
    text_tokens = encode(text_tower, val_ids)
    return row | score(chapter, model, val._replace(text_tokens=text_tokens))


@torch.no_grad()
def encode(text_tower: Any, token_ids: Tensor) -> Tensor:
    """Text tokens (N, L, T) of token ids (N, L)."""
    parts = [text_tower.eval()(ids).text_tokens for ids in token_ids.split(100)]
    return torch.cat(parts)


def spread(text_tower: Any, token_ids: Tensor) -> dict[str, float]:
    """How much start and end token differ between sentences, relative to their size."""
    text_tokens = encode(text_tower, token_ids)
    end = (token_ids != 0).sum(dim=1) - 1
    places = {"start": text_tokens[:, 0], "end": text_tokens[torch.arange(len(end)), end]}
    sizes = {}
    for name, tokens in places.items():
        deviation = (tokens - tokens.mean(dim=0)).square().mean().sqrt()
        sizes[f"spread of the {name} token"] = round(
            float(deviation / tokens.square().mean().sqrt()), 5
        )
    return sizes


if __name__ == "__main__":
    main()
