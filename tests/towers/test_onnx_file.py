"""The reader of ONNX files: what it reads, and what it says of files that are damaged."""

import random

import pytest
import torch
from onnx_writer import field, model, node, tensor, tiny_onnx, tiny_tower, varint

from risbook.errors import DataError
from risbook.towers.weights.onnx_file import Node, read_onnx

VALUES = torch.arange(6.0).reshape(2, 3)


def whole() -> bytes:
    return model([node("MatMul", "/a/MatMul", "x", "w")], [tensor("w", VALUES)])


@pytest.mark.parametrize("packed", [False, True])
def test_tensors_and_nodes(packed: bool) -> None:
    graph = read_onnx(
        model(
            [node("MatMul", "/a/MatMul", "x", "w"), node("Relu", "/b", "/a/MatMul_output_0")],
            [tensor("w", VALUES, packed=packed), tensor("scalar", torch.tensor(2.0))],
        )
    )
    assert list(graph.tensors) == ["w", "scalar"]
    assert torch.equal(graph.tensors["w"], VALUES) and graph.tensors["scalar"] == 2
    assert graph.nodes == (
        Node("MatMul", "/a/MatMul", ("x", "w"), ("/a/MatMul_output_0",)),
        Node("Relu", "/b", ("/a/MatMul_output_0",), ("/b_output_0",)),
    )


def test_what_is_no_weight_is_left_out() -> None:
    shape = tensor("shape", torch.ones(2), data_type=7)
    graph = read_onnx(model([], [shape, tensor("empty", torch.zeros(0, 3))]))
    assert not graph.tensors and not graph.nodes


def test_fields_that_are_not_needed_are_passed_over() -> None:
    fixed = varint(40 << 3 | 5) + b"1234" + varint(41 << 3 | 1) + b"12345678"
    assert torch.equal(read_onnx(fixed + whole() + fixed).tensors["w"], VALUES)


def test_every_file_that_is_cut_off_is_refused() -> None:
    content = whole()
    for length in range(len(content)):
        with pytest.raises(DataError):
            read_onnx(content[:length])


def test_damaged_bytes_are_read_or_refused() -> None:
    """Never another error: the message of a DataError is for people."""
    content, generator = tiny_onnx(tiny_tower())[:4000], random.Random(0)
    for _ in range(300):
        damaged = bytearray(content)
        for _ in range(3):
            damaged[generator.randrange(len(damaged))] = generator.randrange(256)
        try:
            read_onnx(bytes(damaged))
        except DataError as error:
            assert str(error)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "an ONNX file holds one graph, and this file 0"),
        (b"PK\x03\x04 an archive", "not an ONNX file, or damaged: field of type 3"),
        (whole() + whole(), "holds one graph, and this file 2"),
        (field(7, 5), "a number in place of a message"),
        (field(7, b"\xff" * 11), "no whole number at byte 0"),
        (model([], [tensor("w", VALUES)] * 2), "two tensors w"),
        (model([], [field(8, b"\xff\xfe")]), "a name that is no text"),
        (model([], [field(2, b"float")]), "a message in place of a number"),
        (
            model([], [field(1, 7) + field(2, 1) + field(8, "w") + field(9, b"1234")]),
            r"tensor w of shape \(7,\) needs 28 bytes, and the file holds 4",
        ),
        (model([], [tensor("w", torch.ones([1] * 9))]), "tensor w has 9 dimensions"),
        (model([], [field(1, 2**63) * 2 + field(2, 1)]), "needs .* bytes, and the file holds 0"),
    ],
)
def test_what_is_wrong_is_said(content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_onnx(content)
