"""Towers by name: random, shipped, from folders, and from a hub that stands on this machine."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from published_names import openai_state
from safetensors.torch import save_file

from risbook.errors import DataError, RisbookError
from risbook.tokenizers.word_tokenizer import WordTokenizer
from risbook.towers import build
from risbook.towers.build import build_meta_tower, build_tower, save_tower, tokenizer_of
from risbook.towers.clip_resnet import CLIPResNet
from risbook.towers.image_transformer import ImageTransformer
from risbook.towers.info import tower_info, weights_status
from risbook.towers.presets import TOWERS, TowerPreset
from risbook.towers.published_files import HubFile
from risbook.towers.text_transformer import TextTransformer
from risbook.towers.weights import lookup
from risbook.towers.weights.lookup import SHIPPED_TOWERS
from risbook.towers.weights.origin import weights_origin

SHIPPED = {name: preset for name, preset in TOWERS.items() if not preset.is_published}
IMAGES = [name for name, preset in SHIPPED.items() if preset.tower_class.modality == "image"]
TINY = TowerPreset(
    "clip-resnet",
    {"layers": (1, 1, 1, 1), "width": 4, "output_dim": 8, "num_heads": 2, "pos_grid": 3},
    hub=HubFile("nobody/tiny", "model.safetensors", revision="a" * 40, size=1_000_000),
)


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> TowerPreset:
    monkeypatch.setitem(TOWERS, "tiny-image", TINY)
    monkeypatch.delenv("RISBOOK_WEIGHTS", raising=False)
    return TINY


def write_tiny(folder: Path) -> dict[str, torch.Tensor]:
    """A file as CLIP's: OpenAI's names, without the residual branch."""
    folder.mkdir(parents=True, exist_ok=True)
    tower = CLIPResNet(**TINY.arguments, connect=False)
    state = openai_state(tower.state_dict()) | {"logit_scale": torch.ones(())}
    save_file({n: v.contiguous() for n, v in state.items()}, folder / "model.safetensors")
    return tower.state_dict()


def test_the_table_is_consistent() -> None:
    for name, preset in TOWERS.items():
        if preset.text_tower:
            assert TOWERS[preset.text_tower].family == "clip-text" != preset.family
        assert (preset.vocabulary is not None) == (
            preset.family == "clip-text" and preset.hub is not None
        )
        assert (preset.tower_class.modality == "text") == (preset.tokenizer_class is not None)
        if preset.hub is not None:
            assert preset.hub.pinned or preset.hub.revision == "main"
            assert preset.hub.pinned or not preset.hub.sha256, name


@pytest.mark.parametrize(
    ("name", "parameters"),
    [  # of CLIP's towers as ETRIS counts them, where connect is part of the ResNets
        ("clip-rn50-image", 40_416_096),
        ("clip-rn50-text", 63_690_240),
        ("clip-rn101-image", 57_309_536),
        ("clip-rn101-text", 63_428_096),
        ("clip-vitb16-text", 63_428_096),
    ],
)
def test_published_sizes(name: str, parameters: int) -> None:
    assert sum(p.numel() for p in build_meta_tower(name).parameters()) == parameters


@pytest.mark.parametrize("name", IMAGES)
def test_random_saved_and_read_again(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    tower = build_tower(name, weights="random")
    assert str(weights_origin(tower)) == "random weights" and not tower.training
    save_tower(tower, tmp_path / name, name=name, source="a test")
    again = build_tower(name, weights=tmp_path)
    assert weights_origin(again).kind == "risbook" and len(weights_origin(again).sha256) == 64
    assert not any(p.is_meta for p in [*again.parameters(), *again.buffers()])
    assert all(p.requires_grad and p.dtype == torch.float32 for p in again.parameters())
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        expected = tower.half().float()(images).maps[-1]
        assert torch.equal(again(images).maps[-1], expected)
    (tmp_path / name / "config.json").write_text(json.dumps({"tower": "another"}))
    with pytest.raises(DataError, match=f"weights of another, not of {name}"):
        build_tower(name, weights=tmp_path)


def test_a_text_tower_with_its_words(tmp_path: Path) -> None:
    words = WordTokenizer.from_sentences(["the left dog"], length=77, ends=True)
    size = words.vocab_size
    tower = build_tower("clip-mini-text", weights="random", vocab_size=size)
    save_tower(tower, tmp_path, name="clip-mini-text", source="a test", tokenizer=words)
    again = build_tower("clip-mini-text", weights=tmp_path)
    assert isinstance(again, TextTransformer) and again.vocab_size == size
    tokens = tokenizer_of("clip-mini-image", length=8, weights=tmp_path)(["left dog"])
    assert tokens.shape == (1, 8)
    with torch.no_grad():
        expected = tower.half().float()(tokens).sentence_embedding
        assert torch.equal(again(tokens).sentence_embedding, expected)


def test_a_value_too_large_for_the_file(tmp_path: Path) -> None:
    tower = build_tower("clip-mini-image", weights="random")
    assert isinstance(tower, ImageTransformer)
    torch.nn.init.constant_(tower.vit.norm.bias, 1e6)
    with pytest.raises(DataError, match=r"vit\.norm\.bias holds values that are not finite"):
        save_tower(tower, tmp_path, name="clip-mini-image", source="a test")
    assert not (tmp_path / "config.json").exists()


@pytest.mark.parametrize(
    "name", sorted(path.parent.name for path in SHIPPED_TOWERS.glob("*/config.json"))
)
def test_what_is_shipped(name: str) -> None:
    tower = build_tower(name)
    assert weights_origin(tower).kind == "risbook" and weights_status(name) == "shipped"
    assert (SHIPPED_TOWERS / name / "model.safetensors").stat().st_size <= 6_000_000
    if isinstance(tower, TextTransformer):
        tokens = tokenizer_of(name, length=20)(["the red"])
        assert int(tokens.max()) == tower.end_id == tower.vocab_size - 1


def test_what_is_not_shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookup, "SHIPPED_TOWERS", tmp_path)
    monkeypatch.setattr(build, "SHIPPED_TOWERS", tmp_path)
    with pytest.raises(RisbookError, match=r"weights='random'.*risbook pretrain"):
        build_tower("dinov2-mini")
    with pytest.raises(RisbookError, match="vocab_size="):
        build_tower("clip-mini-text", weights="random")


def test_mistakes_are_told() -> None:
    with pytest.raises(RisbookError, match=r"no tower is called 'clip'; there are: clip-rn50"):
        build_tower("clip")
    with pytest.raises(RisbookError, match=r"dinov2-mini: .*unexpected keyword argument 'depht'"):
        build_tower("dinov2-mini", weights="random", depht=3)
    with pytest.raises(RisbookError, match="weights='randon': there is no such file or folder"):
        build_tower("dinov2-mini", weights="randon")
    with pytest.raises(RisbookError, match="is not on the hub; use weights='auto'"):
        build_tower("dinov2-mini", weights="hub")
    with pytest.raises(RisbookError, match="no text side"):
        tokenizer_of("dinov2-mini", length=5)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[", "is not valid JSON"),
        ("[" * 100_000, "is not valid JSON"),
        ('{"tower": null}', "these are the weights of None, not of dinov2-mini"),
        ('{"tower": "dinov2-mini", "arch": []}', "its arch has to be an object"),
        ('{"tower": "dinov2-mini"}', "its arch has to be an object"),
        (
            '{"tower": "dinov2-mini", "arch": {"style": "dinov2", "embed_dim": 1e9}}',
            "is 1000000000.0 here, and 128 in dinov2-mini",
        ),
    ],
)
def test_broken_configurations_of_towers(content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"")
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(DataError, match=re.escape(message)) as caught:
        build_tower("dinov2-mini", weights=tmp_path)
    assert str(caught.value).startswith(str(tmp_path / "config.json"))


@pytest.mark.parametrize("content", ["[]", "null", '{"model_type": "clip"}'])
def test_configurations_of_others_are_left_alone(content: str, tmp_path: Path) -> None:
    tower = build_tower("dinov2-mini", weights="random")
    save_file(tower.state_dict(), tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(content)
    assert weights_origin(build_tower("dinov2-mini", weights=tmp_path)).kind == "risbook"


@pytest.mark.parametrize("overrides", [{"depth": 99999999999}, {"depth": -1}, {"layers": [10**9]}])
def test_sizes_out_of_bounds(overrides: dict[str, Any]) -> None:
    with pytest.raises(RisbookError, match=r"it has to be from 0 to 100$"):
        build_tower("dinov2-mini", weights="random", **overrides)


@pytest.mark.parametrize("below", ["tiny", "tiny-image", ""])
def test_a_folder_without_network(tiny: TowerPreset, tmp_path: Path, below: str) -> None:
    state = write_tiny(tmp_path / below)
    tower = build_tower("tiny-image", weights=str(tmp_path))
    assert isinstance(tower, CLIPResNet)
    loaded = tower.state_dict()
    assert all(torch.equal(loaded[name], value) for name, value in state.items())
    origin = weights_origin(tower)
    assert origin.kind == "published" and origin.random_parts == ("attention_pool.connect",)
    assert loaded["attention_pool.connect.0.weight"].std() > 0
    assert tower(torch.zeros(1, 3, 64, 64)).maps[-1].isfinite().all()


def test_the_folder_of_the_environment(
    tiny: TowerPreset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tiny(tmp_path / "tiny")
    monkeypatch.setenv("RISBOOK_WEIGHTS", str(tmp_path))
    assert weights_status("tiny-image") == "RISBOOK_WEIGHTS"
    assert weights_origin(build_tower("tiny-image")).kind == "published"
    facts = tower_info("tiny-image")
    assert facts.features["map 3"] == (8, 3, 3) and facts.allowed_input == "32n x 32m"


def test_a_table_of_another_side(tiny: TowerPreset, tmp_path: Path) -> None:
    write_tiny(tmp_path)
    tower = build_tower("tiny-image", weights=tmp_path, pos_grid=5)
    assert isinstance(tower, CLIPResNet)
    assert tower.attention_pool.positional_embedding.shape == (26, 128)
    with pytest.raises(DataError, match=r"tiny-image from .*c_proj\.bias is \(8,\)"):
        build_tower("tiny-image", weights=tmp_path, output_dim=16)


HUB = """
import http.server, os, sys, threading, hashlib
from pathlib import Path

folder = Path(sys.argv[1])
file = (folder / "model.safetensors").read_bytes()
digest = hashlib.sha256(file).hexdigest()
asked = []

class Hub(http.server.BaseHTTPRequestHandler):
    def answer(self, body):
        asked.append(self.path)
        here = self.path.startswith("/nobody/tiny/resolve/" + "a" * 40 + "/model.safetensors")
        self.send_response(200 if here else 404)
        if here:
            self.send_header("X-Repo-Commit", "a" * 40)
            self.send_header("ETag", '"' + digest + '"')
        else:
            self.send_header("X-Error-Code", "EntryNotFound")
        self.send_header("Content-Length", str(len(file) if here else 0))
        self.end_headers()
        if here and body:
            self.wfile.write(file)
    def do_HEAD(self): self.answer(False)
    def do_GET(self): self.answer(True)
    def log_message(self, *args): pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
threading.Thread(target=server.serve_forever, daemon=True).start()
os.environ["HF_ENDPOINT"] = f"http://127.0.0.1:{server.server_port}"
os.environ["HF_HOME"] = str(folder / "home")
for name in ("HF_HUB_CACHE", "HF_HUB_OFFLINE", "RISBOOK_WEIGHTS", "http_proxy", "HTTP_PROXY"):
    os.environ.pop(name, None)
os.environ["no_proxy"] = "127.0.0.1"

from dataclasses import replace
from risbook.errors import RisbookError
from risbook.towers.info import weights_status
from risbook.towers.weights.origin import weights_origin
from risbook.towers.build import build_tower
from risbook.towers.presets import TOWERS, TowerPreset
from risbook.towers.published_files import HubFile

sizes = {"layers": (1, 1, 1, 1), "width": 4, "output_dim": 8, "num_heads": 2, "pos_grid": 3}
hub = HubFile("nobody/tiny", "model.safetensors", "a" * 40, digest, 1_000_000)
preset = TowerPreset("clip-resnet", sizes, hub)

def use(**changes):
    TOWERS["tiny-image"] = replace(preset, hub=replace(hub, **changes))

def tell():
    try:
        print(weights_origin(build_tower("tiny-image")))
    except RisbookError as error:
        print(error)

use()
print(weights_status("tiny-image"))
tell()
print(weights_status("tiny-image"))
use(file="other.safetensors")
tell()
server.shutdown(); server.server_close()
before = len(asked)
use()
tell()
print(len(asked) - before)
use(sha256="0" * 64)
tell()
use(revision="b" * 40)
tell()
"""


def test_a_hub_on_this_machine(tmp_path: Path) -> None:
    write_tiny(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", HUB, str(tmp_path)], capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    real = r"published weights: nobody/tiny@aaaaaaaa (sha256 "
    assert lines[0] == "download 1 MB"
    assert lines[1].startswith(real) and lines[1].endswith("attention_pool.connect random")
    assert lines[2] == "in the hub cache"
    assert lines[3].startswith("the hub has no nobody/tiny/other.safetensors at aaaaaaaa")
    assert lines[4] == lines[1]  # from the cache, when the hub is gone
    assert lines[5] == "0"
    assert "its sha256 begins with" in lines[6] and "not 00000000" in lines[6]
    assert lines[7] == (
        "nobody/tiny/model.safetensors at bbbbbbbb is not on this machine, and the hub is not "
        "reachable; connect to the network once, then it stays in the cache; or point "
        "weights= or RISBOOK_WEIGHTS to a folder that holds "
        "model.safetensors, or use a mini tower or weights='random'"
    )
    assert len(lines) == 8
