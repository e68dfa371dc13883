"""The fast protocol scores as the plain one, and computes per image what no sentence changes."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import risbook
from risbook.data import ReferData, ReferringDataset, open_data
from risbook.data.letterbox import Letterbox
from risbook.errors import ArgumentError
from risbook.evaluation import score_system
from risbook.evaluation.image_batches import group_by_image, load_batches, pack_batches
from risbook.evaluation.pair_encoder import PairEncoder
from risbook.evaluation.pixel_counts import count_pixels, resize_probabilities
from risbook.evaluation.score_system import Protocol
from risbook.systems import System, build_system, load_system
from risbook.systems.network_system import NetworkSystem
from risbook.systems.postprocess import predict_mask, probabilities_at_original_size

SENTENCES = ["the left dog", "the dog on the right", "a red car", "the left dog", "a boat"]
#: the image of each of these sentences
IMAGE_INDEX = torch.tensor([0, 0, 0, 1, 1])
VARIANTS = {
    "first-model": {},
    "etris-mini": {},
    "etris-mini-rn": {"weights": "random"},
    "detris-mini": {},
    "mica-mini": {},
    # a stage below the first adapter, and one whose adapters do not read the text
    "detris-mini-late": {"aligner.blocks": [9], "image_out_indices": [3, 7, 11]},
    "detris-mini-without": {"aligner": None, "text_adapter": None},
    "etris-mini-houlsby": {"image_peft.method": "houlsby", "text_peft.method": "houlsby"},
}


@pytest.fixture(scope="module")
def data() -> ReferData:
    return open_data("refscenes-sample")


def build_variant(name: str) -> System:
    torch.manual_seed(0)
    preset = next(
        p
        for p in risbook.list_models()
        if name in (p, f"{p}-late", f"{p}-without") or name == f"{p}-houlsby"
    )
    system = build_system(preset, overrides=VARIANTS[name]).eval()
    for parameter in system.parameters():  # layers that start at zero would hide mistakes
        if parameter.requires_grad and not parameter.any():
            nn.init.normal_(parameter, std=0.1)
    return system


@pytest.mark.parametrize("name", VARIANTS)
def test_sentences_share_their_image(name: str) -> None:
    system = build_variant(name)
    images = torch.randn(2, 3, system.image_size, system.image_size)
    token_ids = system.tokenizer(SENTENCES)
    with torch.no_grad():
        expected = system(images[IMAGE_INDEX], token_ids)
        logits = system(images, token_ids, image_index=IMAGE_INDEX)
        encoded = system(images, system.encode_text(token_ids), image_index=IMAGE_INDEX)
    scale = float(expected.abs().max())
    assert system.shares_images
    assert torch.allclose(logits, expected, atol=1e-4 * scale)
    assert torch.allclose(encoded, expected, atol=1e-4 * scale)


def test_blocks_below_the_first_adapter_have_a_row_per_image() -> None:
    system = build_variant("detris-mini")
    rows: list[int] = []
    for block in system.image_tower.blocks[:3]:
        block.mlp.register_forward_hook(lambda _, args, out: rows.append(len(out)))
    images = torch.randn(2, 3, system.image_size, system.image_size)
    with torch.no_grad():
        system(images, SENTENCES, image_index=IMAGE_INDEX)
    assert rows == [2, 2, 5]  # the first adapter stands beside the MLP of block 1


def test_a_sentence_is_encoded_once() -> None:
    system = build_variant("detris-mini")
    rows: list[int] = []
    system.text_tower.register_forward_pre_hook(lambda _, args: rows.append(len(args[0])))
    encoder = PairEncoder(system, SENTENCES, precision="no")
    images = torch.randn(2, 3, system.image_size, system.image_size)
    encoder.logits(images, SENTENCES, IMAGE_INDEX)
    assert rows == [4]


class MeanColour(nn.Module):
    """A network of one's own: it takes sentences, and knows nothing of shared images."""

    def forward(self, images: Tensor, sentences: Sequence[str]) -> Tensor:
        assert len(images) == len(sentences)
        lengths = torch.tensor([float(len(sentence)) for sentence in sentences])
        return images.mean(dim=1, keepdim=True) + lengths[:, None, None, None] / 100


@pytest.mark.parametrize("name", ["first-model", "etris-mini", "network"])
def test_both_protocols_score_alike(name: str, data: ReferData) -> None:
    system = NetworkSystem(MeanColour(), image_size=64) if name == "network" else load_system(name)
    dataset = ReferringDataset(data, split="val")
    fast, plain = (
        score_system(
            system, dataset, batch_size=7, limit=12, protocol=protocol, show_progress=False
        )
        for protocol in ("fast", "plain")
    )
    assert [row[0] for row in fast] == [row[0] for row in plain]
    assert fast.summary().miou == pytest.approx(plain.summary().miou, abs=5e-4)  # 0.05 points
    assert 0.01 < plain.summary().miou < 1


def test_half_precision_scores_alike(data: ReferData) -> None:
    system, dataset = load_system("etris-mini"), ReferringDataset(data, split="val")
    half, full = (
        score_system(system, dataset, limit=24, precision=precision, show_progress=False)
        for precision in ("bf16", "no")
    )
    # few expressions: the difference of single ones does not average out
    assert half.summary().miou == pytest.approx(full.summary().miou, abs=5e-3)


def test_scores_do_not_depend_on_what_a_machine_is_fast_with(
    data: ReferData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("risbook.layers.precision._cpu_multiplies_bf16", lambda: True)
    system, dataset = load_system("first-model"), ReferringDataset(data, split="val")
    assert PairEncoder(system, ["a dog"], precision="auto").dtype == torch.bfloat16
    assert PairEncoder(system, ["a dog"]).dtype == torch.float32
    usual = risbook.evaluate(system, dataset, limit=6, show_progress=False)
    full, half = (
        risbook.evaluate(system, dataset, limit=6, precision=precision, show_progress=False)
        for precision in ("no", "auto")
    )
    assert usual.ious == full.ious != half.ious


@pytest.mark.parametrize("protocol", ["fast", "plain"])
def test_scores_are_computed_without_tf32(
    data: ReferData, protocol: Protocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    system, dataset = load_system("first-model"), ReferringDataset(data, split="val")
    flags = []
    system.register_forward_pre_hook(lambda *_: flags.append(torch.backends.cudnn.allow_tf32))
    assert torch.backends.cudnn.allow_tf32
    score_system(system, dataset, limit=2, protocol=protocol, show_progress=False)
    assert flags == [False] * len(flags) and flags and torch.backends.cudnn.allow_tf32
    monkeypatch.setattr(system, "forward", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        score_system(system, dataset, limit=2, protocol=protocol, show_progress=False)
    assert torch.backends.cudnn.allow_tf32


def test_the_plain_protocol_is_in_float32(data: ReferData) -> None:
    dataset = ReferringDataset(data, split="val")
    with pytest.raises(ArgumentError, match="plain is in float32"):
        risbook.evaluate("first-model", dataset, protocol="plain", precision="bf16")


def test_an_unknown_protocol_is_refused() -> None:
    with pytest.raises(ArgumentError, match="fast or plain"):
        risbook.evaluate("first-model", "refscenes-sample:val", protocol="slow")


@pytest.mark.parametrize("height, width", [(40, 72), (60, 45), (1, 30), (56, 56)])
def test_matrices_resize_as_the_released_protocol(height: int, width: int) -> None:
    torch.manual_seed(0)
    letterbox, logits = Letterbox(height=height, width=width, size=56), 3 * torch.randn(3, 14, 14)
    expected = np.stack(probabilities_at_original_size(logits[:, None], [letterbox] * 3))
    assert np.abs(resize_probabilities(logits, letterbox).numpy() - expected).max() < 4e-6
    truths = torch.rand(3, height, width) > 0.5
    counts = count_pixels(logits, letterbox, truths, threshold=0.35)
    masks = torch.from_numpy(np.stack(predict_mask(logits[:, None], [letterbox] * 3)))
    assert counts[:, 0].tolist() == (masks & truths).sum((1, 2)).tolist()
    assert counts[:, 1].tolist() == (masks | truths).sum((1, 2)).tolist()
    with pytest.raises(ArgumentError, match="annotated masks"):
        count_pixels(logits, letterbox, truths[:, :, 1:], threshold=0.35)


def test_images_are_loaded_once_and_in_order(data: ReferData) -> None:
    expressions = list(data.expressions.split("val"))
    groups = group_by_image(expressions[::2] + expressions[1::2])
    assert len(groups) == len({row.image_id for row in expressions})
    batches = pack_batches(groups, 5)
    assert all(sum(map(len, batch)) <= 5 for batch in batches)
    images = [image for batch in load_batches(data, batches, size=32) for image in batch]
    assert [list(image.expressions) for image in images] == [p for b in batches for p in b]
    for image in images:
        assert image.image.shape == (3, 32, 32)
        for expression, truth in zip(image.expressions, image.truths, strict=True):
            assert np.array_equal(truth.numpy(), data.mask(expression))
