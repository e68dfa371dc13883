"""The command line: `risbook` or `python -m risbook`.

Each command is a file that adds its arguments and runs. A user's mistake ends with one line and
exit code 2; `-v` shows where it came from.
"""

import argparse
import os
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Sequence
from types import FrameType
from typing import Any, TextIO

from risbook import __version__
from risbook.cli import (
    convert_command,
    data_command,
    evaluate_command,
    params_command,
    predict_command,
    pretrain_command,
    results_command,
    study_command,
    towers_command,
    train_command,
)
from risbook.errors import RisbookError, StoppedError

DESCRIPTION = (
    "Referring image segmentation: from a picture and a sentence to the mask of one object."
)

EPILOG = """\
for example:
  risbook data counts refscenes            how many objects, sentences, images
  risbook towers                           the pretrained networks that systems are made of
  risbook params etris-rn50                what learns, what is frozen, and which share that is
  risbook train first-model --data refscenes --steps 2000 --out runs/first
  risbook evaluate etris-mini              on every split of what it learned from
  risbook convert etris-rn50 best_model.pth --out runs/etris-rn50
                                           a checkpoint of the released ETRIS as one of ours
  risbook predict --image photo.jpg --text "the left dog" --out mask.png
  risbook study etris-pet                  a comparison of many runs; can be stopped and resumed
  risbook results etris-main               published results and ours, with their sources

A checkpoint is a folder that `risbook train` or `risbook convert` wrote, or the name of one that
comes with the package: first-model, etris-mini.
"""


def parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    top = argparse.ArgumentParser(
        prog="risbook",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"risbook {__version__}")
    top.add_argument("-v", "--verbose", action="store_true", help="show the traceback of an error")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    modules = (
        data_command,
        towers_command,
        params_command,
        pretrain_command,
        train_command,
        convert_command,
        evaluate_command,
        predict_command,
        study_command,
        results_command,
    )
    for module in modules:
        module.add(commands)
    for command_parser in commands.choices.values():
        # Also behind the command's name, where people type it; SUPPRESS keeps the first -v.
        command_parser.add_argument(
            "-v",
            "--verbose",
            action="store_true",
            default=argparse.SUPPRESS,
            help="show the traceback of an error",
        )
    return top


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """A warning as one line, without the place in the code that Python would add."""
    print(f"risbook: {message}", file=sys.stderr)


def _raise_at_sigterm() -> Any:
    """Let SIGTERM end a command as Ctrl-C does, with a line; gives back the handler of before."""

    def stop(signum: int, frame: FrameType | None) -> None:
        raise StoppedError("stopped", signum)

    if threading.current_thread() is not threading.main_thread():
        return None  # where Python allows no handlers
    return signal.signal(signal.SIGTERM, stop)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: words after the program's name; those of the process by default.

    Returns:
        0, or 2 for a mistake that the user can mend, or 130 after Ctrl-C, or 143 after SIGTERM.
    """
    options = parser().parse_args(arguments)
    previous = _raise_at_sigterm()
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output (`| head`) has closed it. Python flushes stdout once more when
        # it ends; give it somewhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (RisbookError, OSError) as error:
        if options.verbose:
            traceback.print_exc()
        print(f"risbook {options.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as stop:
        print(f"\nrisbook {options.command}: {stop if str(stop) else 'stopped'}", file=sys.stderr)
        return stop.exit_code if isinstance(stop, StoppedError) else 130
    finally:
        if previous is not None:
            signal.signal(signal.SIGTERM, previous)
    return 0
