"""``risbook predict``: the mask of one sentence in one image."""

import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from risbook.cli.shared import check_png, choose_device, print_json
from risbook.config import Probability
from risbook.errors import RisbookError

if TYPE_CHECKING:
    from risbook.systems import System


def predict(
    *,
    image: Path,
    text: str,
    out: Path,
    overlay: Path | None = None,
    overwrite: bool = False,
    checkpoint: str = "first-model",
    threshold: Probability = 0.35,
    json: bool = False,
    device: str = "",
) -> None:
    """Write the mask of the object that a sentence refers to in an image.

    Args:
        image: image to read, JPEG or PNG for instance.
        text: the sentence.
        out: mask to write, PNG, 255 inside and 0 outside.
        overlay: also write the image with the mask on it, PNG.
        overwrite: replace files that are already there.
        checkpoint: folder, shipped name, or owner/name of the Hugging Face Hub.
        threshold: probability above which a pixel belongs to the mask.
        json: print JSON instead of a line.
        device: cpu, cuda, cuda:1, ... (default: a GPU if there is one).

    for example:
      risbook predict --image photo.jpg --text "the left dog" --out mask.png
      risbook predict --image photo.jpg --text "the left dog" --out mask.png --overwrite \\
          --overlay overlay.png --checkpoint etris-mini
    """
    from PIL import Image

    from risbook.data import read_image
    from risbook.files import write_atomically
    from risbook.systems import load_system
    from risbook.tokenizers.word_tokenizer import UnknownWordWarning

    outputs = [path for path in (out, overlay) if path]
    if len({path.resolve() for path in (image, *outputs)}) <= len(outputs):
        raise RisbookError("--image, --out and --overlay must be different files")
    for path in outputs:
        check_png(path, overwrite=overwrite)
    pixels = read_image(image, upright=True)
    system = load_system(checkpoint).to(choose_device(device))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnknownWordWarning)  # the notices name the same words
        mask = system.predict(pixels, text, threshold=threshold)
    for notice in notices(system, text):
        print(f"risbook predict: {notice}", file=sys.stderr)
    with write_atomically(out) as path:
        Image.fromarray(mask).convert("L").save(path, format="PNG")
    if overlay:
        from risbook.figures import paint_mask

        with write_atomically(overlay) as path:
            Image.fromarray(paint_mask(pixels, mask)).save(path, format="PNG")
    record = {
        "mask": str(out),
        "pixels": int(mask.sum()),
        "share": float(mask.mean()),
        "unknown_words": list(system.tokenizer.unknown_words(text)),
    }
    if json:
        print_json(record)
    else:
        print(f"{out}: {record['pixels']} pixels, {record['share']:.1%} of the image")


def notices(system: "System", text: str) -> list[str]:
    """What of a sentence does not reach the system."""
    tokenizer, lines = system.tokenizer, []
    unknown, count = tokenizer.unknown_words(text), tokenizer.num_tokens(text)
    if unknown and len(unknown) == count - tokenizer.num_tokens(""):
        lines.append(f"{system.name} knows no word of the sentence; the mask does not follow it")
    elif unknown:
        lines.append(f"{system.name} has never seen: {', '.join(unknown)}")
    if count > tokenizer.length:
        lines.append(
            f"the sentence has {count} tokens, of which {system.name} reads {tokenizer.length}; "
            "its end is cut"
        )
    return lines
