"""The card of a checkpoint: what the Hub reads, and what a person reads, without network."""

from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import ModelCard

from risbook.errors import DataError
from risbook.ledger import reported_results
from risbook.systems import System, build_meta_system, build_system, load_system
from risbook.systems.measured_results import weights_digest
from risbook.systems.model_card import GENERATED, model_card

SMALL = {"image_size": 32, "widths": (8, 8, 8, 8), "blocks": 1, "decoder_width": 8}


@pytest.fixture
def system() -> System:
    torch.manual_seed(1)
    return build_system("first-model", sentences=["left dog"], overrides=SMALL).eval()


def result_of(system: System, **changes: Any) -> dict[str, Any]:
    """What `risbook evaluate --out` writes."""
    row = {
        "set": "refscenes",
        "split": "val",
        "count": 10,
        "mIoU": 0.51237,
        "oIoU": 0.4,
        "Pr@0.5": 0.6,
    }
    content = {
        "command": "risbook evaluate runs/x --data refscenes",
        "date": "2026-11-30",
        "device": "x86_64 CPU, 2 threads",
        "weights_sha256": weights_digest(system),
        "rows": [row],
    }
    return content | changes


def test_the_card_of_a_released_model() -> None:
    system = build_meta_system("detris-b")
    source = "facebook/dinov2-with-registers-base@a1d738ccfa7ae170945f210395d99dde8adb1805"
    towers = {
        "image_tower": {"kind": "published", "source": source, "sha256": "7a6f7b3b9fa4b873" * 4},
        "text_tower": {"kind": "published", "source": "b.pth", "sha256": "", "inside": True},
    }
    released = {"code": "a/b", "file": "b.pth", "sha256": "0" * 64, "data": "refcoco"}
    system.about = {
        "license": "mit",
        "released": released,
        "results": reported_results("detris-b", "refcoco"),
    }
    card = ModelCard(model_card(system, towers))
    assert card.data.to_dict() == {
        "base_model": [
            "facebook/dinov2-with-registers-base",
            "timm/vit_base_patch16_clip_224.openai",
        ],
        "language": "en",
        "library_name": "risbook",
        "license": "mit",
        "pipeline_tag": "image-segmentation",
        "tags": ["referring-image-segmentation", "detris-b"],
    }
    for line in (
        f"| dinov2-vitb14 | {source} | `7a6f7b3b9fa4b873` | loaded from their source |",
        "| text tower | clip-vitb16-text | b.pth | not known | in this checkpoint |",
        "| image adapters | 2,297,376 | 0 |",
        "| all | 25,518,129 | 150,011,649 |",
        "checkpoint of the authors' code a/b, trained on refcoco.",
        "Reported by the authors ([README of DETRIS (Huang et al. 2025)](https://github.com/"
        "jiaqihuang01/DETRIS), README), not measured with these weights; percent:",
        "| refcoco | testB | 73.5 | 71.4 |",
        "letterboxed to 448 x 448 pixels, sentences are cut to 17 tokens",
        "License of these weights: mit. The towers keep the licenses of their publishers.",
    ):
        assert line in card.text, line
    assert card.text.rstrip().endswith(GENERATED)


def test_results_are_those_of_these_weights(system: System, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="these are the results of other weights"):
        system.save_pretrained(tmp_path, results=result_of(system, weights_sha256="0" * 16))
    with pytest.raises(DataError, match=r"not a result file \(command, date"):
        system.save_pretrained(tmp_path, results={"rows": []})
    assert not (tmp_path / "config.json").exists()
    system.save_pretrained(tmp_path, results=result_of(system), license="cc-by-4.0")
    load_system(tmp_path).save_pretrained(tmp_path / "again")
    for folder in (tmp_path, tmp_path / "again"):
        card = ModelCard.load(folder / "README.md")
        [result] = card.data.eval_results
        assert (result.dataset_type, result.dataset_split) == ("refscenes", "val")
        assert (result.metric_type, result.metric_value) == ("mean_iou", 0.5124)
        assert card.data.license == "cc-by-4.0" and card.data.base_model is None
        assert "Measured on x86_64 CPU, 2 threads, 2026-11-30, at the images' own" in card.text
        assert "| refscenes | val | 10 | 51.24 | 40.00 | 60.00 |" in card.text


def test_a_readme_of_a_person_stays(system: System, tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("# my words")
    system.save_pretrained(tmp_path)
    assert readme.read_text() == "# my words"
    readme.unlink()
    system.save_pretrained(tmp_path)
    assert "license: unknown" in readme.read_text()
    system.save_pretrained(tmp_path, license="mit")
    assert "license: mit" in readme.read_text()


def test_a_run_is_told(system: System, tmp_path: Path) -> None:
    run = {"data": ["refscenes"], "splits": ["train"], "num_images": 125, "steps": 4800}
    run |= {"batch_size": 32, "learning_rate": 1e-3, "seed": 0, "device": "a GPU", "date": "today"}
    system.about["training"] = [run]
    line = (
        "- 4,800 steps of 32 samples on refscenes (train, 125 images), learning rate 0.001, seed "
        "0, on a GPU, today."
    )
    assert line in model_card(system, {})
    system.about = {}
    assert "The training of these weights is not recorded." in model_card(system, {})
    assert "No results are recorded." in model_card(system, {})
