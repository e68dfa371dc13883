"""What pydantic refuses, in one line for people: the dotted field, the value, what it must be.

What a field must be is read off the JSON schema of the configuration, so that the words are the
same for every way to be wrong: ``dim is 'x'; it must be a whole number from 1 to 65536``.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import takewhile
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from risbook.errors import RisbookError

Schema = dict[str, Any]

#: Bounds of a JSON schema in words, in the order in which a message says them.
_BOUNDS = {
    "minimum": "from",
    "exclusiveMinimum": "above",
    "maximum": "to",
    "exclusiveMaximum": "to below",
    "multipleOf": "that is a multiple of",
}

#: Types of a JSON schema in words, for one value and for several.
_KINDS = {
    "integer": ("a whole number", "whole numbers"),
    "number": ("a number", "numbers"),
    "string": ("text", "texts"),
    "boolean": ("true or false", "true or false"),
    "object": ("values by name", "values by name"),
    "null": ("null", "null"),
}


@contextmanager
def one_line_errors(source: Any, values: Any) -> Iterator[None]:
    """Say what pydantic refuses in one line.

    Args:
        source: the configuration's class, or the function that is called.
        values: what it is made of.

    Raises:
        RisbookError: in place of pydantic's error.
    """
    try:
        yield
    except ValidationError as error:
        schema = TypeAdapter(source).json_schema()
        schema = _inline(schema, schema.get("$defs", {}))
        raise RisbookError(_error_line(error, schema, values)) from None
    except PydanticSerializationError as error:
        raise RisbookError(f"JSON cannot hold these values ({error})") from None


def value_at(values: Any, keys: list[str]) -> Any:
    """The value at a place in nested values, None where there is none."""
    for key in keys:
        values = values.get(key) if isinstance(values, Mapping) else getattr(values, key, None)
    return values


def _error_line(error: ValidationError, schema: Schema, values: Any) -> str:
    """The first thing that is wrong with values that should fit a schema."""
    detail = error.errors(include_url=False)[0]
    # A list is shown as a whole, so that the wrong entry is seen among the others.
    keys = [str(key) for key in takewhile(lambda key: isinstance(key, str), detail["loc"])]
    name, kind = ".".join(keys), detail["type"]
    if kind in ("unexpected_keyword_argument", "extra_forbidden"):
        outer = "".join(f"{key}." for key in keys[:-1])
        names = ", ".join(_leaf_names(_schema_at(schema, keys[:-1]), outer))
        return f"the configuration has no {_shorten(name)}; it has {names}"
    if kind == "value_error":
        message = str(detail["ctx"]["error"])
        return f"{name}: {message}" if name else message
    if kind == "json_invalid":
        return f"JSON cannot hold these values ({detail['msg']})"
    must = f"it must be {_describe(_schema_at(schema, keys))}"
    if "missing" in kind and len(keys) == len(detail["loc"]):
        return f"{name} is missing; {must}"
    return f"{name or 'the configuration'} is {_shorten(value_at(values, keys))}; {must}"


def _shorten(value: Any) -> str:
    try:
        text = repr(value)
    except ValueError:  # Python writes no integer of more than 4,300 digits
        return "a number of thousands of digits"
    return text if len(text) <= 80 else f"{text[:77]}..."


def _inline(schema: Any, definitions: Schema) -> Any:
    """A JSON schema with what its references stand for in their places."""
    if isinstance(schema, list):
        return [_inline(entry, definitions) for entry in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inline(definitions[schema["$ref"].rsplit("/", 1)[-1]], definitions)
    return {key: _inline(entry, definitions) for key, entry in schema.items()}


def _schema_at(schema: Schema, keys: list[str]) -> Schema:
    for key in keys:
        inner = schema.get("properties", {}).get(key, schema.get("additionalProperties"))
        schema = inner if isinstance(inner, dict) else {}
    return schema


def _leaf_names(schema: Schema, prefix: str) -> Iterator[str]:
    """Dotted names of all fields of a schema."""
    for key, inner in schema.get("properties", {}).items():
        if "properties" in inner:
            yield from _leaf_names(inner, f"{prefix}{key}.")
        else:
            yield prefix + key


def _describe(schema: Schema, plural: bool = False) -> str:
    """What a value must be, in words: "a whole number from 1 to 65536"."""
    if "anyOf" in schema:
        text = " or ".join(map(_describe, schema["anyOf"]))
    elif "enum" in schema:
        text = " or ".join(map(repr, schema["enum"]))
    elif schema.get("type") == "array":
        entries = schema.get("prefixItems", [schema.get("items", {})])
        least = "one or more " if schema.get("minItems") else ""
        count = f"{len(entries)} " if "prefixItems" in schema else least
        text = f"a list of {count}{_describe(entries[0], plural=True)}"
    else:
        text = _KINDS.get(schema.get("type", ""), ("a value", "values"))[plural]
        bounds = [(word, schema[key]) for key, word in _BOUNDS.items() if key in schema]
        text += "".join(f" {word} {_number(bound)}" for word, bound in bounds)
    if examples := schema.get("examples"):
        text += f", for instance {json.dumps(examples[0])}"
    return text


def _number(bound: float) -> str:
    return f"{bound:,}" if bound >= 10**6 else str(bound).removesuffix(".0")
