"""A system as one ONNX file, which a browser or a telephone can run without PyTorch.

The graph takes what such a program has at hand, 8-bit colours and token ids, and returns
probabilities at the size of the letterbox. Normalisation, the sigmoid and the enlargement are in
it, so that no program has to repeat them.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from risbook.data.letterbox import CLIP_MEAN, CLIP_STD
from risbook.errors import RisbookError
from risbook.files import write_atomically
from risbook.systems.evaluation_mode import evaluation_mode
from risbook.systems.system import System

#: names of the graph's inputs and of its output
INPUTS = ("pixels", "token_ids")
OUTPUT = "probability"


class PixelsToProbability(nn.Module):
    """A system with the normalisation before it, and the sigmoid and the enlargement behind it."""

    mean: Tensor
    std: Tensor

    def __init__(self, system: System) -> None:
        super().__init__()
        self.system = system
        for name, values in (("mean", CLIP_MEAN), ("std", CLIP_STD)):
            self.register_buffer(name, torch.tensor(values).view(1, 3, 1, 1), persistent=False)

    def forward(self, pixels: Tensor, token_ids: Tensor) -> Tensor:
        """Probabilities (1, S, S) of a letterboxed image.

        Args:
            pixels: float32 (1, 3, S, S), red, green and blue from 0 to 255.
            token_ids: int64 (1, L).
        """
        images = (pixels / 255 - self.mean) / self.std
        probability = self.system.forward(images, token_ids).sigmoid()
        size = tuple(pixels.shape[-2:])
        enlarged = F.interpolate(probability, size=size, mode="bicubic", align_corners=True)
        return enlarged[:, 0].clamp(0, 1)


def export_onnx(system: System, file: str | Path) -> int:
    """Write a system as an ONNX file for images one by one.

    Inputs are "pixels", float32 (1, 3, S, S) from 0 to 255, letterboxed to `image_size`, and
    "token_ids", int64 (1, L); the output is "probability", float32 (1, S, S). A pixel belongs to
    the mask where this is above `risbook.systems.postprocess.THRESHOLD`. Weights that 16 bits hold
    exactly are stored in 16 bits, which halves the file of a frozen tower that comes so.

    Programs that optimise graphs have to keep to the basic level: ONNX Runtime 1.30 and 1.32 give
    wrong results with more, from their fusion of a transposition into a matrix product
    ("MatmulTransposeFusion").

    Args:
        system: on the CPU; is left in the mode that it was in.
        file: the file to write.

    Returns:
        The size of the file in bytes.

    Raises:
        RisbookError: if the packages ``onnx`` or ``onnxscript`` are missing.
    """
    try:
        import onnx
        import onnxscript  # noqa: F401  (torch.onnx needs it)
    except ImportError as error:
        raise RisbookError(
            f"the export needs the packages onnx and onnxscript ({error}): "
            "pip install onnx onnxscript"
        ) from None
    size = system.image_size
    inputs = (torch.zeros(1, 3, size, size), system.tokenizer([""]))
    with evaluation_mode(system), torch.no_grad():
        wrapped = PixelsToProbability(system).eval()
        # What the system keeps between calls, as the causal mask, is made before the graph is
        # recorded: made within, it would be kept without values.
        wrapped(*inputs)
        program = torch.onnx.export(
            wrapped, inputs, dynamo=True, input_names=INPUTS, output_names=[OUTPUT], verbose=False
        )
    assert program is not None  # None only for a program that was written to a file at once
    model = program.model_proto
    _store_in_16_bits(model)
    content: bytes = model.SerializeToString()
    onnx.checker.check_model(content)
    with write_atomically(Path(file)) as unfinished:
        unfinished.write_bytes(content)
    return len(content)


def _store_in_16_bits(model: Any) -> None:
    """Store weights as float16 where that loses nothing, and cast them back when they are used."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for tensor in model.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(tensor)
        with np.errstate(over="ignore"):
            halved = values.astype(np.float16)
        if values.size < 1024 or not np.array_equal(halved.astype(np.float32), values):
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(halved, f"{name}.16"))
        casts.append(helper.make_node("Cast", [f"{name}.16"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
