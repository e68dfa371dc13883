"""A command is a typed function: its parameters are the options, its docstring is the help.

argparse splits the words; pydantic says what each must be, as it does in `risbook.config`, so that
a value is refused on the command line in the words in which it is refused in a file. Parameters
before the ``*`` have no flag.
"""

import argparse
import difflib
import inspect
import json
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from pydantic import TypeAdapter, validate_call

from risbook.config import STRICT
from risbook.config_messages import Schema, one_line_errors
from risbook.errors import RisbookError

#: flags that are not named as their parameters are
FLAGS = {
    "overrides": "--set",
    "text_kind": "--text",
    "image_folder": "--images",
    "from_path": "--from",
}
#: what stands for a value in the help, where it is not the parameter's name
METAVARS = {
    "data": "SET",
    "eval_splits": "SET:SPLIT",
    "from_path": "FILE",
    "image_folder": "FOLDER",
    "images": "FOLDER",
    "lr_multipliers": "GROUP=TIMES",
    "splits": "SPLIT",
}


class Parser(argparse.ArgumentParser):
    """A parser whose complaints are exceptions, so that one place prints them."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, **settings)

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would print below its usage."""
        message = re.sub(r"^argument (\S*?)(/\S*)?:", r"\1:", message)
        raise RisbookError(f"{message}; `{self.prog} --help` explains it")


class Command:
    """What the parser knows of a command.

    Args:
        function: runs it; may return an exit code.
        fields: a configuration whose fields are options, too, handed on as ``**``.
    """

    def __init__(self, function: Callable[..., int | None], fields: type | None = None) -> None:
        self.function = function
        self.options: dict[str, Schema] = {}
        self.texts: dict[str, str] = {}
        sources: list[Any] = [fields, function] if fields else [function]
        for source in sources:  # what the function says replaces what the fields say
            schema = TypeAdapter(source).json_schema()
            self.options |= {k: _without_null(v) for k, v in schema["properties"].items()}
            self.texts |= _read_docstring(source)[1]
        self.required = schema.get("required", ())
        parameters = inspect.signature(function).parameters.values()
        self.positional = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]

    def add_to(self, parser: argparse.ArgumentParser) -> None:
        """Give a parser the description, the options and what the docstring says below them."""
        parser.description, _, parser.epilog = _read_docstring(self.function)
        for name, schema in self.options.items():
            self._add_option(parser, name, schema)
        parser.set_defaults(command=self)

    def values(self, namespace: argparse.Namespace) -> dict[str, Any]:
        """The values that were given, by parameter."""
        values = {name: value for name, value in vars(namespace).items() if name in self.options}
        for name, value in values.items():
            if isinstance(value, list):
                is_mapping = self.options[name]["type"] == "object"
                values[name] = dict(value) if is_mapping else tuple(value)
        return values

    def run(self, namespace: argparse.Namespace) -> int:
        """Run the command with the values that were given.

        Raises:
            RisbookError: for a value that a parameter cannot have.
        """
        values = self.values(namespace)
        with one_line_errors(self.function, values):
            return validate_call(config=STRICT)(self.function)(**values) or 0

    def flag(self, name: str) -> str:
        """A parameter as it is typed."""
        return name if name in self.positional else FLAGS.get(name, f"--{name.replace('_', '-')}")

    def with_flag(self, message: str) -> str:
        """A message about a parameter, which is then named as it is typed."""
        name, verb, rest = message.partition(" is ")
        return f"{self.flag(name)} is {rest}" if verb and name in self.options else message

    def similar_flag(self, word: str) -> str:
        """A hint at the flag that a misspelt one may stand for."""
        return did_you_mean(word.partition("=")[0], [self.flag(name) for name in self.options])

    def _add_option(self, parser: argparse.ArgumentParser, name: str, schema: Schema) -> None:
        kind, default, text = schema.get("type"), schema.get("default"), self.texts.get(name, "")
        if kind != "boolean" and default not in (None, "", [], {}):
            words = default if isinstance(default, list) else [default]
            text += f" (default: {' '.join(map(str, words))})"
        settings: dict[str, Any] = {"default": argparse.SUPPRESS, "help": text.replace("%", "%%")}
        if kind == "boolean":
            settings["action"] = argparse.BooleanOptionalAction if default else "store_true"
        else:
            settings["metavar"] = _metavar(name, schema)
            settings["type"] = partial(_read_word, schema.get("items", schema))
        if kind in ("array", "object"):
            settings["nargs"] = "+" if schema.get("minItems") or kind == "object" else "*"
        elif name in self.positional and name not in self.required:
            settings["nargs"] = "?"
        if name not in self.positional:
            settings |= {"dest": name, "required": name in self.required}
        parser.add_argument(self.flag(name), **settings)


def did_you_mean(word: str, words: Sequence[str]) -> str:
    """A hint at the word that a misspelt one may stand for, or nothing."""
    similar = difflib.get_close_matches(word, words, n=1)
    return f", did you mean {similar[0]}?" if similar else ""


def _without_null(schema: Schema) -> Schema:
    """Of an option that may be None, what else it may be."""
    return {**schema["anyOf"][0], "default": None} if "anyOf" in schema else schema


def _metavar(name: str, schema: Schema) -> str:
    if "enum" in schema:
        return "{" + ",".join(schema["enum"]) + "}"
    kinds = {"integer": "N", "number": "X", "object": "NAME=VALUE"}
    return METAVARS.get(name) or kinds.get(schema.get("type", ""), name.upper())


def _read_word(schema: Schema, word: str) -> Any:
    """A word as the type of an option; where it is none of it, pydantic will say so."""
    readers: dict[str, Callable[[str], Any]] = {
        "integer": int,
        "number": float,
        "path": Path,
        "object": _named_value,
    }
    with suppress(ValueError):
        return readers.get(schema.get("format") or schema.get("type", ""), str)(word)
    return word


def _named_value(word: str) -> tuple[str, Any]:
    """The name and the value of ``name=value``, which is read as JSON where it is JSON.

    >>> _named_value("bridger.dim=32"), _named_value("name=abc")
    (('bridger.dim', 32), ('name', 'abc'))
    """
    name, equals, value = word.partition("=")
    if not equals or not name:
        raise RisbookError(f"{word}: write it as NAME=VALUE, for instance dropout=0.2")
    with suppress(ValueError, RecursionError):
        return name, json.loads(value)
    return name, value


def _read_docstring(source: Any) -> tuple[str, dict[str, str], str]:
    """What stands above the ``Args`` of a docstring, the text of each, and what stands below."""
    description, _, rest = inspect.cleandoc(source.__doc__ or "").partition("Args:\n")
    arguments, notes = re.match(r"((?: .*\n?|\n(?= ))*)((?:.|\n)*)", rest).groups()  # type: ignore[union-attr]
    entries = re.findall(r"^    (\w+): ((?:.|\n      )*)", arguments, re.MULTILINE)
    texts = {
        name: " ".join(text.split()).replace("`", "").removesuffix(".") for name, text in entries
    }
    return description.strip(), texts, notes.strip()
