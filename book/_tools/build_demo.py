"""Write what the page *Demo* loads: the model, ONNX Runtime for browsers, images, recorded answers.

    python book/_tools/build_demo.py

The model is exported from the checkpoint of the package, and again only when the checkpoint or the
exporter has changed. ONNX Runtime comes from the npm package `onnxruntime-web`, whose files are
compared with the digests below. Where npm, a network or the packages of the export are missing, the
page has the recorded answers alone, and says so.
"""

import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from book_config import BOOK, ROOT
from PIL import Image

from risbook.data import load
from risbook.data.letterbox import Letterbox
from risbook.data.photographs import load_photograph
from risbook.errors import RisbookError
from risbook.files import read_json, write_atomically
from risbook.systems import load_system
from risbook.systems.onnx_export import PixelsToProbability, export_onnx
from risbook.systems.postprocess import THRESHOLD
from risbook.systems.system import System

SYSTEM = "detris-mini"
TARGET = BOOK / "_static" / "demo"

RUNTIME = "onnxruntime-web@1.30.0"
#: file of the npm package -> SHA-256
# fmt: off
RUNTIME_FILES = {
    "ort.wasm.min.js":
        "faece07e84faa9001f5104bbe4e5c70861d06cb2376a0dea1fa0ad33a67adc81",
    "ort-wasm-simd-threaded.mjs":
        "e13f7f94fc51b4ca72b12faeb1ee95f4ace6dfbc8939bc718aabdc0a27c4299b",
    "ort-wasm-simd-threaded.wasm":
        "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
}
# fmt: on

#: side of an image on the page, pixels
SHOWN = 384
#: recorded sentences per scene
SENTENCES = 4
#: split of the drawn sample, index of the scene in it, and what a blind reader must know
SCENES = (
    ("val", 0, "Drawn scene: people and balls"),
    ("testA", 0, "Drawn scene: people"),
    ("testB", 0, "Drawn scene: mugs and lamps"),
    ("testB", 1, "Drawn scene: buses"),
)
#: photograph -> description, sentences that use known words
PHOTOGRAPHS = {
    "astronaut": ("Photograph: a woman in an orange suit", ("the woman", "the lady on the left")),
    "coffee": ("Photograph: a cup of coffee on a table", ("the cup", "brown cup")),
}


def main() -> None:
    """Write all of it, and print one line per part."""
    TARGET.mkdir(parents=True, exist_ok=True)
    system = load_system(SYSTEM)
    images = [*drawn_scenes(system), *photographs(system)]
    model, why_not = export_model(system), ""
    runtime = fetch_runtime()
    if not (model and runtime):
        why_not = "The model is not in this copy of the book; the recorded answers are."
    tokenizer = system.tokenizer
    data = {
        "model": "model.onnx" if model and runtime else "",
        "megabytes": round((model + runtime) / 1e6) if model and runtime else 0,
        "why_not": why_not,
        "name": SYSTEM,
        "size": system.image_size,
        "length": tokenizer.length,
        "threshold": THRESHOLD,
        "vocabulary": tokenizer.backend.get_vocab(),
        "start": tokenizer.start_id,
        "end": tokenizer.end_id,
        "images": images,
    }
    script = f"window.risbookDemo = {json.dumps(data, ensure_ascii=False)};\n"
    with write_atomically(TARGET / "demo_data.js") as unfinished:
        unfinished.write_text(script, encoding="utf-8")
    print(f"demo: {len(images)} images, {'with' if data['model'] else 'without'} the model")


def drawn_scenes(system: System) -> list[dict[str, Any]]:
    """Scenes of the sample that comes with the package, with sentences of theirs."""
    scenes = []
    for split, index, description in SCENES:
        data = load("refscenes-sample", split=split)
        image_id = sorted({expression.image_id for expression in data.expressions})[index]
        own = [number for number, e in enumerate(data.expressions) if e.image_id == image_id]
        # One sentence per object first, so that the answers differ.
        first = {data.expressions[number].ref_id: number for number in reversed(own)}
        others = [number for number in own if number not in first.values()]
        picked = [*sorted(first.values()), *others][:SENTENCES]
        sentences = [(data.sentences[number], data.mask(number)) for number in picked]
        rgb = data.image(own[0])
        scenes.append(record(system, f"{split}-{index}", description, rgb, sentences))
    return scenes


def photographs(system: System) -> list[dict[str, Any]]:
    """Photographs, whose words the model knows, but whose look it has never met."""
    return [
        record(
            system,
            name,
            description,
            load_photograph(name).image,
            [(sentence, None) for sentence in sentences],
        )
        for name, (description, sentences) in PHOTOGRAPHS.items()
    ]


def record(
    system: System,
    name: str,
    description: str,
    rgb: np.ndarray,
    sentences: list[tuple[str, np.ndarray | None]],
) -> dict[str, Any]:
    """Write an image and the answers to its sentences; return the entry of the page."""
    height, width = rgb.shape[:2]
    small = Letterbox(height=height, width=width, size=system.image_size)
    large = Letterbox(height=height, width=width, size=SHOWN)
    save(f"{name}.png", large.image(rgb))
    pixels = small.image(rgb)
    save(f"{name}-input.png", pixels)
    answers = []
    for sentence, truth in sentences:
        mask = probability_of(system, pixels, sentence) > THRESHOLD
        answer: dict[str, Any] = {"text": sentence, "runs": run_lengths(mask)}
        if truth is not None:
            target = small.mask(truth) > 0.5
            answer["iou"] = round(float((mask & target).sum() / max(1, (mask | target).sum())), 3)
        answers.append(answer)
    return {
        "name": name,
        "description": description,
        "shown": f"{name}.png",
        "input": f"{name}-input.png",
        "answers": answers,
    }


def run_lengths(mask: np.ndarray) -> list[int]:
    """Lengths of the runs of a mask (S, S), row after row; the first run is outside the mask."""
    flat = mask.ravel()
    changes = np.flatnonzero(np.diff(flat)) + 1
    ends = np.concatenate([[0] if flat[0] else [], changes, [flat.size]]).astype(int)
    return [int(length) for length in np.diff(ends, prepend=0)]


@torch.no_grad()
def probability_of(system: System, pixels: np.ndarray, sentence: str) -> np.ndarray:
    """Probability (S, S) of a letterboxed image, uint8 (S, S, 3)."""
    images = torch.from_numpy(pixels).permute(2, 0, 1)[None].float()
    network = PixelsToProbability(system).eval()
    result: np.ndarray = network(images, system.tokenizer([sentence]))[0].numpy()
    return result


def save(name: str, pixels: np.ndarray) -> None:
    """Write an image of the page, PNG."""
    with write_atomically(TARGET / name) as unfinished:
        Image.fromarray(pixels).save(unfinished, format="PNG", optimize=True)


def export_model(system: System) -> int:
    """Export the model unless that is done; return its bytes, 0 where it cannot be exported."""
    file, stamp = TARGET / "model.onnx", TARGET / "model.json"
    sources = [
        *sorted((ROOT / "risbook" / "checkpoints" / SYSTEM).glob("*.safetensors")),
        ROOT / "risbook" / "systems" / "onnx_export.py",
    ]
    made_of = {source.name: hashlib.sha256(source.read_bytes()).hexdigest() for source in sources}
    made_of["torch"] = torch.__version__
    if file.is_file() and stamp.is_file() and read_json(stamp) == made_of:
        return file.stat().st_size
    try:
        size = export_onnx(system, file)
    except RisbookError as error:
        print(f"demo: no model: {error}")
        return 0
    stamp.write_text(json.dumps(made_of))
    return size


def fetch_runtime() -> int:
    """Fetch ONNX Runtime unless it is there; return its bytes, 0 where it cannot be had."""
    if not all(_is_whole(TARGET / name, digest) for name, digest in RUNTIME_FILES.items()):
        npm = shutil.which("npm")
        if npm is None:
            print(f"demo: npm is not installed, so {RUNTIME} cannot be fetched")
            return 0
        with tempfile.TemporaryDirectory() as folder:
            fetched = subprocess.run(
                [npm, "pack", RUNTIME, "--pack-destination", folder, "--silent"],
                capture_output=True,
                text=True,
                timeout=300,
                check=False,
            )
            archives = list(Path(folder).glob("*.tgz"))
            if fetched.returncode or len(archives) != 1:
                print(f"demo: npm could not fetch {RUNTIME}: {fetched.stderr.strip()[-200:]}")
                return 0
            _unpack(archives[0])
    return sum((TARGET / name).stat().st_size for name in RUNTIME_FILES)


def _unpack(archive: Path) -> None:
    with tarfile.open(archive) as files:
        for name, digest in RUNTIME_FILES.items():
            member = files.extractfile(f"package/dist/{name}")
            content = member.read() if member else b""
            digest_here = hashlib.sha256(content).hexdigest()
            if digest_here != digest:
                raise SystemExit(f"{RUNTIME}: {name} has the digest {digest_here}, not {digest}")
            with write_atomically(TARGET / name) as unfinished:
                unfinished.write_bytes(content)


def _is_whole(file: Path, digest: str) -> bool:
    return file.is_file() and hashlib.sha256(file.read_bytes()).hexdigest() == digest


if __name__ == "__main__":
    main()
    sys.exit(0)
