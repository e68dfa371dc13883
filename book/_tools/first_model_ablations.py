"""Train variants of the model of chapter 1.3, and record their scores.

python book/_tools/first_model_ablations.py             every variant with seeds 0, 1 and 2
python book/_tools/first_model_ablations.py --seeds 0   one seed

The classes, the training loop and the recipe are those of the notebook: the script executes its
imports, constants, functions and classes, and none of its other cells. The variants train 900
steps, the live run as many as the chapter. A run whose result file exists is left out.
"""

import argparse
import ast
import datetime
import time
from pathlib import Path
from typing import Any

import nbformat
import torch
from book_config import ROOT

import risbook
from risbook.evaluation.result_files import describe_device
from risbook.files import write_json

CHAPTER = ROOT / "book" / "task" / "first_model.ipynb"
RESULTS = ROOT / "book" / "results"
VARIANTS = ("full", "no-coordinates", "bag-of-words", "no-sentence")
ABLATION_STEPS, ABLATION_PEAK = 900, 5e-3
DEFINITIONS = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description="Train the variants of chapter 1.3.")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--live", action="store_true", help="the live run alone, in its own suite")
    options = parser.parse_args()
    suite = "first-model-live" if options.live else "first-model-ablations"
    torch.set_num_threads(1)
    chapter = read_definitions()
    tokenizer, train_data, val_data = prepare_data(chapter)
    train_set = chapter["ImagesWithSentences"](train_data)
    for seed in options.seeds:
        for variant in ("full",) if options.live else VARIANTS:
            path = RESULTS / suite / f"{variant}-{seed}.json"
            if not path.exists():
                steps, peak = ABLATION_STEPS, ABLATION_PEAK
                if options.live:
                    steps, peak = chapter["STEPS"], chapter["PEAK"]
                result = train_variant(
                    chapter, variant, seed, steps, peak, tokenizer, train_set, val_data
                )
                flag = " --live" if options.live else ""
                command = f"python book/_tools/first_model_ablations.py --seeds {seed}{flag}"
                write_json(path, {"suite": suite, "command": command, **result})
                print("wrote", path.name, flush=True)


def prepare_data(chapter: dict[str, Any], name: str = "refscenes") -> tuple[Any, Any, Any]:
    """Make the tokenizer and open train and val of a set, as chapter 1.3 does."""
    data = chapter["open_data"](name)
    train_data, val_data = (chapter["load_split"](data, split) for split in ("train", "val"))
    vocabulary = chapter["build_vocabulary"](train_data.sentences)
    return chapter["Tokenizer"](vocabulary, length=chapter["MAX_WORDS"]), train_data, val_data


def read_definitions(chapter: Path = CHAPTER) -> dict[str, Any]:
    """Execute the imports, constants, functions and classes of a chapter."""
    names: dict[str, Any] = {"__name__": "chapter"}
    for cell in nbformat.read(chapter, as_version=4).cells:
        if cell.cell_type != "code" or cell.metadata.get("risbook"):
            continue  # text, the set-up cell, and the stubs of exercises
        for node in ast.parse(cell.source).body:
            is_constant = isinstance(node, ast.Assign) and ast.unparse(node.targets[0]).isupper()
            if isinstance(node, DEFINITIONS) or is_constant:
                try:
                    exec(compile(ast.Module([node], []), str(chapter), "exec"), names)
                except NameError:  # a constant of a figure, made of other results
                    continue
    return names


def train_variant(
    chapter: dict[str, Any],
    variant: str,
    seed: int,
    steps: int,
    peak: float,
    tokenizer: Any,
    train_set: Any,
    val_data: Any,
) -> dict[str, Any]:
    """Train one variant with one seed; returns the content of its result file."""
    torch.manual_seed(seed)
    loader = chapter["build_loader"](train_set)
    model = chapter["FirstModel"](tokenizer)
    if variant == "no-coordinates":
        model.decoder.fuse = ZeroCoordinates(model.decoder.fuse)
    if variant == "bag-of-words":
        vocab_size = len(tokenizer.vocabulary)
        model.text_tower = BagOfWordsTower(vocab_size=vocab_size, word_dim=96, text_dim=192)
    if variant == "no-sentence":
        model.text_tower = PaddingOnly(model.text_tower)
    start = time.process_time()
    losses = chapter["train"](model, loader, steps=steps, peak=peak)
    seconds = time.process_time() - start
    scores = risbook.evaluate(model, val_data, show_progress=False)
    return {
        "row": variant,
        "seed": seed,
        "date": datetime.date.today().isoformat(),
        "device": describe_device(torch.device("cpu")),
        "precision": "no",
        "risbook": risbook.__version__,
        "torch": torch.__version__,
        "seconds": round(seconds, 1),
        "last_loss": round(sum(losses[-50:]) / 50, 4),
        "rows": [{"set": "refscenes without people", "split": "val", **scores}],
    }


class ZeroCoordinates(torch.nn.Module):
    """The fusion with 0 in place of both coordinates, which are its last two channels."""

    def __init__(self, fuse: torch.nn.Module) -> None:
        super().__init__()
        self.fuse = fuse

    def forward(self, concatenated: torch.Tensor) -> torch.Tensor:
        """Fuse what `concatenate` joined, (B, C + P + 2, H, W)."""
        pieces, xy = concatenated[:, :-2], concatenated[:, -2:]
        fused: torch.Tensor = self.fuse(torch.cat([pieces, torch.zeros_like(xy)], dim=1))
        return fused


class BagOfWordsTower(torch.nn.Module):
    """The mean of the word vectors, and a linear layer."""

    def __init__(self, *, vocab_size: int, word_dim: int, text_dim: int) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(vocab_size, word_dim, padding_idx=0)
        self.project = torch.nn.Linear(word_dim, text_dim)

    def forward(self, token_ids: torch.Tensor) -> torch.Tensor:
        """Encode token ids (B, L) as sentence embeddings (B, text_dim); padding does not count."""
        vectors = self.embedding(token_ids)  # (B, L, word_dim)
        is_word = (token_ids != 0)[:, :, None]  # (B, L, 1)
        count = is_word.sum(dim=1).clamp(min=1)  # (B, 1)
        embedding: torch.Tensor = self.project((vectors * is_word).sum(dim=1) / count)
        return embedding


class PaddingOnly(torch.nn.Module):
    """A text tower that gets padding in place of every sentence."""

    def __init__(self, tower: torch.nn.Module) -> None:
        super().__init__()
        self.tower = tower

    def forward(self, token_ids: torch.Tensor) -> torch.Tensor:
        """Encode token ids (B, L) as if all of them were 0."""
        embedding: torch.Tensor = self.tower(torch.zeros_like(token_ids))
        return embedding


if __name__ == "__main__":
    main()
