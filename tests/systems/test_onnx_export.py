"""The exported graph computes what PyTorch computes, at the basic level of optimisation."""

import numpy as np
import pytest
import torch

import risbook
from risbook.systems.onnx_export import INPUTS, OUTPUT, PixelsToProbability, export_onnx

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")


@pytest.fixture(scope="module")
def system():
    return risbook.load("detris-mini")


@pytest.fixture(scope="module")
def session(system, tmp_path_factory):
    file = tmp_path_factory.mktemp("onnx") / "model.onnx"
    system.train()
    assert export_onnx(system, file) == file.stat().st_size
    assert system.training
    system.eval()
    # The towers come in 16 bits, and so they are stored.
    assert file.stat().st_size < 3 * sum(value.numel() for value in system.parameters())
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    return onnxruntime.InferenceSession(file, options)


@pytest.mark.parametrize("sentence", ["left man", "red bus right of the mug", "man " * 40])
def test_probabilities_are_those_of_pytorch(system, session, sentence):
    generator = torch.Generator().manual_seed(len(sentence))
    size = system.image_size
    pixels = torch.randint(0, 256, (1, 3, size, size), generator=generator).float()
    token_ids = system.tokenizer([sentence])
    with torch.no_grad():
        expected = PixelsToProbability(system)(pixels, token_ids)
    feeds = dict(zip(INPUTS, (pixels.numpy(), token_ids.numpy()), strict=True))
    (computed,) = session.run([OUTPUT], feeds)
    assert computed.shape == (1, size, size)
    assert np.abs(computed - expected.numpy()).max() < 1e-4


def test_the_graph_repeats_predict(system, session):
    """Normalisation, sigmoid and enlargement in the graph are those of `predict`."""
    data = risbook.data.load("refscenes-sample", split="val", image_size=system.image_size)
    letterbox = data.letterbox(0)
    pixels = letterbox.image(data.image(0))
    feeds = {
        "pixels": pixels.transpose(2, 0, 1)[None].astype(np.float32),
        "token_ids": system.tokenizer([data.sentences[0]]).numpy(),
    }
    (computed,) = session.run([OUTPUT], feeds)
    expected = system.predict(pixels, data.sentences[0], return_probability=True)
    assert np.abs(computed[0] - expected).max() < 1e-3
