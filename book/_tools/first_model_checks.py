"""Record the small trainings that chapters 1.3 and 1.5 report in their text.

python book/_tools/first_model_checks.py

- first-model-errors: two seeded errors in the loss, and what each check of the project shows;
- first-model-rates: mIoU of several peaks of the learning rate;
- first-model-cross-entropy: 150 steps without the Dice loss.

The classes and the training loop are those of chapter 1.3. A run whose result file exists is left
out.
"""

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from first_model_ablations import RESULTS, prepare_data, read_definitions
from torch import Tensor

import risbook
from risbook.evaluation.result_files import describe_device
from risbook.files import write_json

SHORT_STEPS, FIT_STEPS, PEAK = 150, 200, 5e-3
RATES = ((150, 0.00125), (150, 0.0025), (150, 0.005), (150, 0.01), (150, 0.02), (540, 0.005))
FIT_PLACES = (3, 10, 24, 31)  # four expressions of train, of different images

Loss = Callable[[Tensor, Tensor], Tensor]


def main() -> None:
    """Run the command."""
    torch.set_num_threads(1)
    chapter = read_definitions()
    tokenizer, train_data, val_data = prepare_data(chapter)
    for name, (loss, change) in seed_errors(chapter["mask_loss"]).items():
        path = RESULTS / "first-model-errors" / f"{name}.json"
        if not path.exists():
            four = train_data.select(FIT_PLACES)
            write(path, fit_four(chapter, loss, change, tokenizer, four))
    train_set = chapter["ImagesWithSentences"](train_data)
    for seed in (0, 1):
        path = RESULTS / "first-model-cross-entropy" / f"cross-entropy-{seed}.json"
        if not path.exists():
            options = {"steps": SHORT_STEPS, "peak": PEAK, "loss_function": cross_entropy}
            write(path, train_once(chapter, seed, tokenizer, train_set, val_data, options))
    for steps, peak in RATES:
        path = RESULTS / "first-model-rates" / f"{steps}-steps-{peak}.json"
        if not path.exists():
            options = {"steps": steps, "peak": peak}
            write(path, train_once(chapter, 0, tokenizer, train_set, val_data, options))


def seed_errors(mask_loss: Loss) -> dict[str, tuple[Loss, Callable[[Tensor], Tensor]]]:
    """List the correct loss and two wrong ones, each with what is done to the masks first."""

    def apply_sigmoid_twice(logits: Tensor, masks: Tensor) -> Tensor:
        return mask_loss(logits.sigmoid(), masks)

    def transpose(masks: Tensor) -> Tensor:
        return masks.transpose(2, 3).contiguous()

    return {
        "correct": (mask_loss, torch.clone),
        "transposed": (mask_loss, transpose),
        "sigmoid-twice": (apply_sigmoid_twice, torch.clone),
    }


def fit_four(
    chapter: dict[str, Any],
    loss_function: Loss,
    change: Callable[[Tensor], Tensor],
    tokenizer: Any,
    four: Any,
) -> dict[str, Any]:
    """Fit four expressions, and measure what the checks of the project show."""
    items = [four[place] for place in range(len(four))]
    images = torch.stack([item["image"] for item in items])  # (4, 3, S, S)
    masks = change(torch.stack([item["mask"] for item in items]))  # (4, 1, S, S)
    sentences = [item["text"] for item in items]
    torch.manual_seed(0)
    model = chapter["FirstModel"](tokenizer)
    perfect_logits = 40 * masks[..., ::2, ::2] - 20
    with torch.no_grad():
        untrained_loss = float(loss_function(model(images, sentences), masks))
    batches = [(images, sentences, masks)]
    losses = chapter["train"](
        model, batches, steps=FIT_STEPS, peak=PEAK, loss_function=loss_function
    )
    scores = risbook.evaluate(model, four, show_progress=False)
    return {
        "rows": [
            {
                "untrained loss": untrained_loss,
                "loss of perfect logits": float(loss_function(perfect_logits, masks)),
                "last loss": losses[-1],
                "mIoU": scores["mIoU"],
            }
        ]
    }


def train_once(
    chapter: dict[str, Any],
    seed: int,
    tokenizer: Any,
    train_set: Any,
    val_data: Any,
    options: dict[str, Any],
) -> dict[str, Any]:
    """Train the model of chapter 1.3 once, and score it on val without people."""
    torch.manual_seed(seed)
    loader = chapter["build_loader"](train_set)
    model = chapter["FirstModel"](tokenizer)
    chapter["train"](model, loader, **options)
    scores = risbook.evaluate(model, val_data, show_progress=False)
    without_overlap = sum(iou == 0 for iou in scores.ious)
    row = {"set": "refscenes without people", "split": "val", **scores}
    about = {"seed": seed, "steps": options["steps"], "peak": options["peak"]}
    return {**about, "rows": [{**row, "masks without overlap": without_overlap}]}


def cross_entropy(logits: Tensor, masks: Tensor) -> Tensor:
    """The first part of the loss of chapter 1.3 alone."""
    return F.binary_cross_entropy_with_logits(logits, masks[..., ::2, ::2])


def write(path: Path, result: dict[str, Any]) -> None:
    """Write a result file with its suite, its row, and how it came about."""
    path.parent.mkdir(exist_ok=True)
    about = {
        "suite": path.parent.name,
        "row": path.stem,
        "command": "python book/_tools/first_model_checks.py",
        "date": datetime.date.today().isoformat(),
        "device": describe_device(torch.device("cpu")),
        "risbook": risbook.__version__,
        "torch": torch.__version__,
    }
    write_json(path, {**about, **result})
    print("wrote", path.parent.name, path.name, flush=True)


if __name__ == "__main__":
    main()
