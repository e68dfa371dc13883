"""Tiny ONNX files and wheels in the form of the real ones, written for tests alone."""

import re
import struct
import zipfile
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

import torch
from torch import Tensor

from risbook.towers.image_transformer import ImageTransformer
from risbook.towers.presets import TowerPreset
from risbook.towers.published_files import PackageFile

MEMBER = "tiny_focus/models/tiny.onnx"
SIZES = {"embed_dim": 8, "depth": 2, "num_heads": 2, "patch_size": 4, "pos_grid": 3}
OUT = {"out_indices": (0, 1)}


def varint(value: int) -> bytes:
    digits = []
    while True:
        value, digit = value >> 7, value & 127
        digits.append(digit | 128 if value else digit)
        if not value:
            return bytes(digits)


def field(number: int, value: int | bytes | str) -> bytes:
    """A field of a message: a whole number, or text or bytes with their length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    content = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(content)) + content


def tensor(name: str, value: Tensor, *, packed: bool = False, data_type: int = 1) -> bytes:
    dims = [varint(side) for side in value.shape]
    shape = field(1, b"".join(dims)) if packed else b"".join(field(1, s) for s in value.shape)
    raw = struct.pack(f"<{value.numel()}f", *value.flatten().tolist())
    return shape + field(2, data_type) + field(8, name) + field(9, raw)


def node(op_type: str, name: str, *inputs: str) -> bytes:
    read = b"".join(field(1, word) for word in inputs)
    return read + field(2, f"{name}_output_0") + field(3, name) + field(4, op_type)


def model(nodes: list[bytes], tensors: list[bytes]) -> bytes:
    graph = b"".join(field(1, entry) for entry in nodes)
    graph += field(2, "main_graph") + b"".join(field(5, entry) for entry in tensors)
    return field(1, 8) + field(2, "pytorch") + field(7, graph)


def tiny_tower() -> ImageTransformer:
    torch.manual_seed(0)
    tower = ImageTransformer(style="dinov2", **SIZES, **OUT)
    for parameter in tower.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return tower.eval()


def transformers_names(tower: ImageTransformer) -> dict[str, Tensor]:
    """A DINOv2 without registers under transformers' names; its class token has no position."""
    state: dict[str, Tensor] = {}
    for name, value in tower.vit.state_dict().items():
        name = name.replace("blocks.", "encoder.layer.").replace("patch_embed.proj.", "patch.")
        name = re.sub(r"^norm\.", "layernorm.", name)
        name = re.sub(r"\.ls([12])\.gamma", r".layer_scale\1.lambda1", name)
        name = name.replace("attn.proj.", "attention.output.dense.")
        name = name.replace("patch.", "embeddings.patch_embeddings.projection.")
        if "attn.qkv" in name:
            for part, third in zip(("query", "key", "value"), value.chunk(3), strict=True):
                state[name.replace("attn.qkv", f"attention.attention.{part}")] = third
        else:
            state[name] = value
    state["embeddings.cls_token"] = state.pop("cls_token")
    patches = state.pop("pos_embed")
    state["embeddings.position_embeddings"] = torch.cat([0 * patches[:, :1], patches], dim=1)
    return state


def onnx_parts(state: Mapping[str, Tensor]) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """Nodes and tensors of an export as the real one: linear weights anonymous and transposed."""
    nodes, tensors = {}, {}
    for name, value in state.items():
        layer = re.fullmatch(r"(encoder\.layer\.\d+)\.((?:attention|mlp).+)\.weight", name)
        if name == "embeddings.position_embeddings":
            for op, key, part in (
                ("Concat", "Concat_6", value[:, :1]),
                ("Reshape", "Reshape_1", value[:, 1:]),
            ):
                tensors[name + op] = tensor(f"onnx::{op}_7", part)
                full = f"/backbone/embeddings/{key}"
                nodes[full] = node(op, full, f"onnx::{op}_7", "another")
        elif layer:
            tensors[name] = tensor(f"onnx::MatMul_{len(tensors)}", value.T, packed=True)
            full = f"/backbone/{layer[1]}/{layer[2].replace('.', '/')}/MatMul"
            full = full.replace("encoder.layer", "encoder/layer")
            nodes[full] = node("MatMul", full, "norm1_output_0", f"onnx::MatMul_{len(tensors) - 1}")
        else:
            tensors[name] = tensor(f"backbone.{name}", value)
    # what no tower needs: a product of activations, a decoder, a shape
    attention = "/backbone/encoder/layer.0/attention/attention/MatMul"
    nodes[attention] = node("MatMul", attention, "query_output_0", "key_output_0")
    tensors["decoder"] = tensor("decoder.upconv1.bias", torch.ones(2))
    tensors["shape"] = tensor("onnx::Unsqueeze_1", torch.ones(1), data_type=7)
    return nodes, tensors


def tiny_onnx(tower: ImageTransformer) -> bytes:
    nodes, tensors = onnx_parts(transformers_names(tower))
    return model(list(nodes.values()), list(tensors.values()))


def write_wheel(folder: Path, content: bytes, member: str = MEMBER) -> Path:
    """A wheel that pip takes."""
    path = folder / "tiny_focus-0.1.1-py3-none-any.whl"
    about = "tiny_focus-0.1.1.dist-info"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        wheel.writestr(member, content)
        wheel.writestr("tiny_focus/__init__.py", "raise SystemExit('imported')\n")
        wheel.writestr(
            f"{about}/METADATA",
            "Metadata-Version: 2.1\nName: tiny-focus\nVersion: 0.1.1\n"
            "Requires-Dist: no-such-thing\n",
        )
        wheel.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{about}/RECORD", "")
    return path


def tiny_preset(wheel: Path, content: bytes, converted_sha256: str = "") -> TowerPreset:
    package = PackageFile(
        project="tiny-focus",
        version="0.1.1",
        member=MEMBER,
        label="a tiny DINOv2 as carried by tiny-focus 0.1.1",
        wheel_sha256=sha256(wheel.read_bytes()).hexdigest(),
        member_sha256=sha256(content).hexdigest(),
        sha256=converted_sha256,
        size=wheel.stat().st_size,
    )
    return TowerPreset("dinov2", {**SIZES, **OUT}, package=package)
