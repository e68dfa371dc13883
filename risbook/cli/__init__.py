"""The command line: `risbook` or `python -m risbook`.

A user's mistake ends with one line and exit code 2; `-v` shows where it came from. The file of a
command is imported when that command is typed, so that the others cost nothing.
"""

import argparse
import os
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from types import FrameType
from typing import Any

from risbook import __version__
from risbook.cli.command import Command, Parser, did_you_mean
from risbook.errors import RisbookError, StoppedError

DESCRIPTION = (
    "Referring image segmentation: from an image and a sentence to the mask of one object."
)

EPILOG = """\
for example:
  risbook data counts refscenes            how many objects, sentences, images
  risbook towers                           the pretrained networks that systems are made of
  risbook towers get dinov2-s              download its weights, once
  risbook params etris-rn50                what learns, what is frozen, and which share that is
  risbook train first-model --data refscenes --steps 2000 --out runs/first
  risbook evaluate etris-mini              on every split of what it learned from
  risbook convert refcoco.pth runs/detris  a released checkpoint of ETRIS, DETRIS or MiCA as ours
  risbook predict --image photo.jpg --text "the left dog" --out mask.png
  risbook bench train detris-b             how fast this machine trains it
  risbook study etris-pet                  a comparison of many runs; can be stopped and resumed
  risbook results etris-main               published results and ours, with their sources

A checkpoint is a folder that `risbook train` or `risbook convert` wrote, the name of one that comes
with the package (first-model, etris-mini, detris-mini, detris-s, mica-mini), or owner/name of one
on the Hugging Face Hub.
"""

#: the commands, each a function in the file of its name, with what it does
SUMMARIES = {
    "data": "list, draw, download, check, count and show data",
    "towers": "parameters, input sizes, feature shapes and weights of the towers",
    "params": "parameters of every system: tuned, frozen, dead, share of the towers",
    "pretrain": "pretrain a small tower on RefScenes",
    "train": "train a system",
    "convert": "turn a checkpoint of the released ETRIS, DETRIS or MiCA into one of ours",
    "evaluate": "score a checkpoint",
    "predict": "segment the object that a sentence refers to",
    "export": "write a checkpoint as one ONNX file, which runs without PyTorch",
    "bench": "measure the speed of loading, evaluation and training on this machine",
    "study": "compare systems under one budget; can be stopped and resumed",
    "results": "tables of published and own results, and a check of the book's pages",
}
#: of a command that has several functions, those that are typed behind it; without one of them,
#: `risbook data` lists the sets, and `risbook towers` prints a table of the towers
ACTIONS = {
    "data": {
        "make": "draw RefScenes into a folder",
        "download": "bring RefCOCO, RefCOCO+ or G-Ref to this machine",
        "check": "find what of a downloaded set is missing or broken",
        "cache": "letterbox the training images once, so that they load faster",
        "counts": "objects, sentences and images per split, beside the published counts",
        "show": "draw one expression: image, sentence, mask",
    },
    "bench": {
        "data": "training samples per second and core, from the originals and from a cache",
        "evaluate": "expressions per second, one at a time and all of an image together",
        "train": "time, memory and share of the machine's peak of a training step",
    },
    "towers": {
        "get": "bring the weights of a tower to this machine",
        "probe": "measure what probes find after every block of an image tower",
    },
}


def read_arguments(words: Sequence[str]) -> tuple[Command, argparse.Namespace]:
    """The command that was typed, and its options.

    Raises:
        RisbookError: for a command or an option that there is not.
    """
    name, action = ([word for word in words if not word.startswith("-")] + ["", ""])[:2]
    if name and name not in SUMMARIES:
        names = ", ".join(SUMMARIES)
        hint = did_you_mean(name, list(SUMMARIES))
        raise RisbookError(f"there is no command {name!r}{hint or ';'} there are: {names}")
    namespace, surplus = _parser(name, action).parse_known_args(words)
    command: Command = namespace.command
    if not surplus:
        return command, namespace
    word = surplus[0]
    if word.startswith("-"):
        raise RisbookError(
            f"there is no option {word}{command.similar_flag(word) or ';'} "
            f"`risbook {name} --help` lists them"
        )
    raise RisbookError(f"nothing is expected where {word!r} stands; see `risbook {name} --help`")


def _parser(name: str, action: str) -> Parser:
    """The parser of all commands, of which the one called `name` knows its options.

    A command with a function of its own name also works without an action.
    """
    top = Parser(prog="risbook", description=DESCRIPTION, epilog=EPILOG)
    top.add_argument("--version", action="version", version=f"risbook {__version__}")
    _add_verbose(top)
    commands = top.add_subparsers(metavar="COMMAND", required=True)
    for entry, summary in SUMMARIES.items():
        parser = commands.add_parser(entry, help=summary)
        if entry != name:
            continue
        module = import_module(f"risbook.cli.{name}_command")
        parsers = {name: parser}
        if action in ACTIONS.get(name, {}) or (name in ACTIONS and not hasattr(module, name)):
            parser.description = f"{summary.capitalize()}."
            actions = parser.add_subparsers(metavar="ACTION", required=True)
            parsers = {k: actions.add_parser(k, help=text) for k, text in ACTIONS[name].items()}
        for function, leaf in parsers.items():
            Command(getattr(module, function), getattr(module, "FIELDS", None)).add_to(leaf)
            _add_verbose(leaf)  # also behind the command, where people type it
    return top


def _add_verbose(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="show the traceback of an error"
    )


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    """A warning as one line, without the place in the code that Python would add."""
    print(f"risbook: {RisbookError(message)}", file=sys.stderr)


def _raise_at_sigterm() -> Any:
    """Let SIGTERM end a command as Ctrl-C does, with a line; gives back the handler of before."""

    def stop(signum: int, frame: FrameType | None) -> None:
        raise StoppedError("stopped", signum)

    if threading.current_thread() is not threading.main_thread():
        return None  # where Python allows no handlers
    return signal.signal(signal.SIGTERM, stop)


def _escape_what_terminals_lack() -> None:
    """Print letters that the terminal's encoding lacks as escapes, in place of a traceback."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def _os_error_line(error: OSError) -> str:
    """An operating system's error as other messages are: the file, then what is wrong."""
    if error.filename is None or error.strerror is None:
        return str(RisbookError(error))
    return str(RisbookError(f"{os.fspath(error.filename)}: {error.strerror}"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: words after the program's name; those of the process by default.

    Returns:
        0, or 1 for pages that `results --check` finds wrong, or 2 for a mistake that the user can
        mend, or 130 after Ctrl-C, or 143 after SIGTERM.
    """
    # Threads that wait sleep; two that spin stop each other on a loaded machine. torch reads the
    # policy once, when it is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    words = list(sys.argv[1:] if arguments is None else arguments)
    _escape_what_terminals_lack()
    name = next((word for word in words if word in SUMMARIES), "")
    prog = f"risbook {name}".rstrip()
    command = None
    previous = _raise_at_sigterm()
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            command, namespace = read_arguments(words or ["--help"])
            code = command.run(namespace)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output (`| head`) has closed it. Python flushes stdout once more when
        # it ends; give it somewhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (RisbookError, OSError) as error:
        if {"-v", "--verbose"} & set(words):
            traceback.print_exc()
        line = _os_error_line(error) if isinstance(error, OSError) else str(error)
        print(f"{prog}: {command.with_flag(line) if command else line}", file=sys.stderr)
        return 2
    except StoppedError as stop:
        if stop.hint:
            can_resume = command is not None and "resume" in command.options
            stop.hint = f"continue with {'--resume' if can_resume else 'the same command'}"
        print(f"\n{prog}: {stop}", file=sys.stderr)
        return stop.exit_code
    except KeyboardInterrupt:
        print(f"\n{prog}: stopped", file=sys.stderr)
        return 130
    finally:
        if previous is not None:
            signal.signal(signal.SIGTERM, previous)
    return code
