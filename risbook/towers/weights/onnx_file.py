"""The float tensors and the nodes of an ONNX file, read without the package `onnx`.

An ONNX file is a protocol buffer: a sequence of fields, each a key (number of the field and type of
its content) and the content. Of the hundred fields that ONNX has, weights need nine. So this file
reads these nine, in place of a dependency that risbook would need for a single file.

Sources: "Encoding" in the documentation of protocol buffers; ``onnx.proto`` for the numbers.
"""

from collections.abc import Iterator
from math import prod
from typing import NamedTuple

import torch
from torch import Tensor

from risbook.errors import DataError

# numbers of the fields in onnx.proto
MODEL_GRAPH = 7
GRAPH_NODE, GRAPH_INITIALIZER = 1, 5
NODE_INPUT, NODE_OUTPUT, NODE_NAME, NODE_OP_TYPE = 1, 2, 3, 4
TENSOR_DIMS, TENSOR_DATA_TYPE, TENSOR_NAME, TENSOR_RAW_DATA = 1, 2, 8, 9
#: the value of a tensor's data type that stands for float32
FLOAT = 1

#: dimensions of the largest tensor that is read; a weight has at most four
MAX_DIMS = 8

# types of a field's content
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


class Node(NamedTuple):
    """One operation of the network.

    Args:
        op_type: for instance "MatMul".
        name: for instance "/encoder/layer.0/mlp/fc1/MatMul".
        inputs: names of tensors, and of outputs of other nodes.
        outputs: names that other nodes may have as inputs.
    """

    op_type: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


class OnnxGraph(NamedTuple):
    """What `read_onnx` reads.

    Args:
        tensors: the initialisers of type float32, by name; ONNX calls stored weights initialisers.
        nodes: in the order in which they are computed.
    """

    tensors: dict[str, Tensor]
    nodes: tuple[Node, ...]


def read_onnx(content: bytes) -> OnnxGraph:
    """Read the float32 tensors and the nodes of an ONNX file.

    Args:
        content: the whole file. The tensors are copies.

    Raises:
        DataError: if the file is damaged or no ONNX file; says at which byte.

    >>> read_onnx(bytes([7 << 3 | 2, 4, 1 << 3 | 2, 2, 4 << 3 | 2, 0])).nodes
    (Node(op_type='', name='', inputs=(), outputs=()),)
    """
    file = memoryview(content)
    tensors: dict[str, Tensor] = {}
    nodes = []
    graphs = [value for number, value in _fields(file) if number == MODEL_GRAPH]
    if len(graphs) != 1:
        raise DataError(f"an ONNX file holds one graph, and this file {len(graphs)}")
    for number, value in _fields(_bytes(graphs[0])):
        if number == GRAPH_NODE:
            nodes.append(_read_node(_bytes(value)))
        elif number == GRAPH_INITIALIZER:
            name, tensor = _read_tensor(_bytes(value))
            if name in tensors:
                raise DataError(f"the ONNX file holds two tensors {name}")
            if tensor is not None:
                tensors[name] = tensor
    return OnnxGraph(tensors, tuple(nodes))


def _read_node(message: memoryview) -> Node:
    texts: dict[int, list[str]] = {NODE_INPUT: [], NODE_OUTPUT: [], NODE_NAME: [], NODE_OP_TYPE: []}
    for number, value in _fields(message):
        if number in texts:
            texts[number].append(_text(value))
    return Node(
        op_type="".join(texts[NODE_OP_TYPE]),
        name="".join(texts[NODE_NAME]),
        inputs=tuple(texts[NODE_INPUT]),
        outputs=tuple(texts[NODE_OUTPUT]),
    )


def _read_tensor(message: memoryview) -> tuple[str, Tensor | None]:
    """Name and values; None for no values, and for types that no weight has, as int64 of shapes."""
    name, data_type, raw = "", 0, memoryview(b"")
    shape: list[int] = []
    for number, value in _fields(message):
        if number == TENSOR_NAME:
            name = _text(value)
        elif number == TENSOR_DATA_TYPE:
            data_type = _integer(value)
        elif number == TENSOR_RAW_DATA:
            raw = _bytes(value)
        elif number == TENSOR_DIMS:  # one by one, or all in one field
            shape += [value] if isinstance(value, int) else _varints(value)
    if len(shape) > MAX_DIMS:
        raise DataError(f"the ONNX file's tensor {name} has {len(shape)} dimensions")
    if data_type != FLOAT or not prod(shape):
        return name, None
    if len(raw) != 4 * prod(shape):
        raise DataError(
            f"the ONNX file's tensor {name} of shape {tuple(shape)} needs {4 * prod(shape):,} "
            f"bytes, and the file holds {len(raw):,}"
        )
    return name, torch.frombuffer(bytearray(raw), dtype=torch.float32).reshape(shape)


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """The fields of a message: number, and an integer or the bytes of the content."""
    position = 0
    while position < len(message):
        key, position = _varint(message, position)
        number, kind = key >> 3, key & 7
        if kind == VARINT:
            value, position = _varint(message, position)
            yield number, value
            continue
        if kind == BYTES:
            length, position = _varint(message, position)
        elif kind in (FIXED32, FIXED64):
            length = 4 if kind == FIXED32 else 8
        else:
            raise DataError(f"not an ONNX file, or damaged: field of type {kind} at {position:,}")
        if length > len(message) - position:
            raise DataError(
                f"the ONNX file is cut off: a field at byte {position:,} of its message has "
                f"{length:,} bytes, and {len(message) - position:,} are left"
            )
        yield number, message[position : position + length]
        position += length


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    """An integer of 7 bits per byte, the lowest first, and the position behind it."""
    value = 0
    for count, byte in enumerate(message[position : position + 10]):
        value |= (byte & 127) << 7 * count
        if byte < 128:
            return value, position + count + 1
    raise DataError(f"not an ONNX file, or cut off: no whole number at byte {position:,}")


def _varints(message: memoryview) -> list[int]:
    values, position = [], 0
    while position < len(message):
        value, position = _varint(message, position)
        values.append(value)
    return values


def _bytes(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise DataError("not an ONNX file, or damaged: a number in place of a message")
    return value


def _integer(value: int | memoryview) -> int:
    if not isinstance(value, int):
        raise DataError("not an ONNX file, or damaged: a message in place of a number")
    return value


def _text(value: int | memoryview) -> str:
    try:
        return bytes(_bytes(value)).decode()
    except UnicodeDecodeError as error:
        raise DataError("not an ONNX file, or damaged: a name that is no text") from error
