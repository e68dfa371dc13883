"""``risbook predict``: the mask of one sentence in one picture."""

import argparse
import sys
from pathlib import Path

from risbook.cli.arguments import (
    Commands,
    add_device,
    add_json,
    check_png,
    choose_device,
    print_json,
    probability,
)
from risbook.errors import RisbookError


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    command: argparse.ArgumentParser = commands.add_parser(
        "predict",
        help="segment what a sentence means",
        description="Write the mask of the object that a sentence means in a picture.",
    )
    command.add_argument("--image", type=Path, required=True, help="a picture that Pillow opens")
    command.add_argument("--text", required=True, help="the sentence")
    command.add_argument(
        "--out", type=Path, required=True, help="mask to write, PNG, 255 inside and 0 outside"
    )
    command.add_argument(
        "--overlay", type=Path, metavar="PNG", help="also write the picture with the mask on it"
    )
    command.add_argument(
        "--checkpoint", default="first-model", help="folder or shipped name (%(default)s)"
    )
    command.add_argument(
        "--threshold", type=probability, default=0.35, help="probability of the mask (%(default)s)"
    )
    add_json(command)
    add_device(command)
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Run the command."""
    from PIL import Image

    from risbook.data import read_image
    from risbook.evaluation import predict
    from risbook.files import write_atomically
    from risbook.systems import load_system

    check_png(options.out, options.overlay)
    places = [path.resolve() for path in (options.image, options.out, options.overlay) if path]
    if len(set(places)) < len(places):
        raise RisbookError("--image, --out and --overlay must be different files")
    image = read_image(options.image, upright=True)
    system = load_system(options.checkpoint).to(choose_device(options.device))
    answer = predict(system, image, options.text, threshold=options.threshold)
    if answer.unknown_words:
        words = ", ".join(answer.unknown_words)
        print(f"risbook predict: {system.name} has never seen: {words}", file=sys.stderr)
    with write_atomically(options.out) as path:
        Image.fromarray(answer.mask).convert("L").save(path, format="PNG")
    if options.overlay:
        from risbook.figures import paint_mask

        with write_atomically(options.overlay) as path:
            Image.fromarray(paint_mask(image, answer.mask)).save(path, format="PNG")
    share = float(answer.mask.mean())
    if options.json:
        print_json(
            {
                "mask": str(options.out),
                "pixels": int(answer.mask.sum()),
                "share": share,
                "unknown_words": list(answer.unknown_words),
            }
        )
    else:
        print(f"{options.out}: {int(answer.mask.sum())} pixels, {share:.1%} of the picture")
