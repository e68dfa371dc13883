"""``risbook convert``: a checkpoint of the released ETRIS as one of ours."""

import argparse
from pathlib import Path

from risbook.cli.arguments import Commands, read_changes

EPILOG = """\
for example:
  risbook convert etris-rn50 best_model.pth --out runs/etris-rn50
  risbook convert etris-vitb16 best_model.pth --out runs/etris-g --set word_length=22
  risbook evaluate runs/etris-rn50 --data path/to/refcoco

No file tells the length of its sentences: word_length is 17 for RefCOCO and RefCOCO+, as in the
presets, and 22 for RefCOCOg.

Only names and tensors are read, and nothing in the file is run. The checkpoint holds all weights,
the towers' as well, and the file's name and SHA-256. It needs no network to be made; whoever
evaluates it needs CLIP's tokenizer, which is fetched once or lies as clip-rn50/tokenizer.json (or
clip-rn101, clip-vitb16) in the folder that RISBOOK_WEIGHTS names.
"""


def add(commands: Commands) -> None:
    """Add the command to the parser."""
    command: argparse.ArgumentParser = commands.add_parser(
        "convert",
        help="turn a checkpoint of the released ETRIS into one of ours",
        description=(
            "Turn a checkpoint that the released training of ETRIS wrote into one that evaluate "
            "and predict read."
        ),
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("system", help="as what it was trained: etris-rn50, -rn101 or -vitb16")
    command.add_argument("file", type=Path, help="best_model.pth or last_model.pth")
    command.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="the checkpoint to write"
    )
    command.add_argument(
        "--set",
        nargs="+",
        default=[],
        metavar="NAME=VALUE",
        help="what the file was trained with instead of the preset's, for instance word_length=22",
    )
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Run the command."""
    from risbook.systems import convert_released

    changes = read_changes(options.set)
    origin = convert_released(options.file, options.system, options.out, overrides=changes)
    print(f"checkpoint: {options.out} ({origin})")
