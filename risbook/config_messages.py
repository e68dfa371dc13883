"""What pydantic refuses, in one line for people: the dotted field, the value, what it must be.

What a field must be is read off the JSON schema of the configuration, so that the words are the
same for every way to be wrong: ``dim is 'x'; it must be a whole number from 1 to 65536``.
"""

import json
from collections.abc import Iterator, Mapping
from itertools import takewhile
from typing import Any

from pydantic import ValidationError

Schema = dict[str, Any]


def error_line(error: ValidationError, root: Schema, values: Any) -> str:
    """The first thing that is wrong, in one line.

    Args:
        error: what pydantic found.
        root: JSON schema of the configuration.
        values: what was to become the configuration.
    """
    detail = error.errors(include_url=False)[0]
    # A list is shown as a whole, so that the wrong entry is seen among the others.
    keys = [str(key) for key in takewhile(lambda key: isinstance(key, str), detail["loc"])]
    name, kind = ".".join(keys), detail["type"]
    if kind in ("unexpected_keyword_argument", "extra_forbidden"):
        outer = "".join(f"{key}." for key in keys[:-1])
        names = ", ".join(_leaf_names(_schema_at(root, keys[:-1]), root, outer))
        return f"the configuration has no {_short(name)}; it has {names}"
    if kind == "value_error":
        message = str(detail["ctx"]["error"])
        return f"{name}: {message}" if name else message
    if kind == "json_invalid":
        return f"JSON cannot hold these values ({detail['msg']})"
    schema = _schema_at(root, keys)
    must = f"it must be {_describe(schema, root)}"
    if "missing" in kind and len(keys) == len(detail["loc"]):
        return f"{name} is missing; {must}"
    return f"{name or 'the configuration'} is {_short(value_at(values, keys))}; {must}"


def value_at(values: Any, keys: list[str]) -> Any:
    """The value at a place in nested values, None where there is none."""
    for key in keys:
        values = values.get(key) if isinstance(values, Mapping) else getattr(values, key, None)
    return values


def _short(value: Any) -> str:
    try:
        text = repr(value)
    except ValueError:  # Python writes no integer of more than 4,300 digits
        return "a number of thousands of digits"
    return text if len(text) <= 80 else f"{text[:77]}..."


def _resolve(schema: Any, root: Schema) -> Schema:
    """A part of a JSON schema, behind its reference."""
    if not isinstance(schema, dict):
        return {}
    reference = schema.get("$ref", "").rsplit("/", 1)[-1]
    resolved: Schema = root["$defs"][reference] if reference else schema
    return resolved


def _schema_at(root: Schema, keys: list[str]) -> Schema:
    schema = _resolve(root, root)
    for key in keys:
        inner = schema.get("properties", {}).get(key, schema.get("additionalProperties"))
        schema = _resolve(inner, root)
    return schema


def _leaf_names(schema: Schema, root: Schema, prefix: str) -> Iterator[str]:
    """Dotted names of all fields below a part of a JSON schema."""
    for key, entry in _resolve(schema, root).get("properties", {}).items():
        if "properties" in _resolve(entry, root):
            yield from _leaf_names(entry, root, f"{prefix}{key}.")
        else:
            yield prefix + key


def _describe(schema: Schema, root: Schema, plural: str = "") -> str:
    """What a value must be, in words: "a whole number from 1 to 65536"."""
    schema = _resolve(schema, root)
    kind = schema.get("type")
    if "anyOf" in schema:
        text = " or ".join(_describe(entry, root, plural) for entry in schema["anyOf"])
    elif "const" in schema or "enum" in schema:
        text = " or ".join(repr(value) for value in schema.get("enum", [schema.get("const")]))
    elif kind in ("integer", "number"):
        noun = "whole number" if kind == "integer" else "number"
        text = (f"{noun}s" if plural else f"a {noun}") + _range(schema)
    elif "prefixItems" in schema:
        entries = schema["prefixItems"]
        text = f"{plural or 'a list of'} {len(entries)} {_describe(entries[0], root, 'all')}"
    elif kind == "array":
        least = "one or more " if schema.get("minItems") else ""
        text = f"{plural or 'a list of'} {least}{_describe(schema.get('items', {}), root, 'all')}"
    elif kind == "object":
        text = "values by name"
    elif kind == "string":
        text = "texts" if plural else "text"
    else:
        text = {"boolean": "true or false", "null": "null"}.get(str(kind), "a value")
    if examples := schema.get("examples"):
        text += f", for instance {json.dumps(examples[0])}"
    return text


def _range(schema: Schema) -> str:
    lower, above = _bound(schema, "minimum"), _bound(schema, "exclusiveMinimum")
    upper, below = _bound(schema, "maximum"), _bound(schema, "exclusiveMaximum")
    words = []
    if lower:
        words.append(f"from {lower}" if upper or below else f"from {lower} on")
    if above:
        words.append(f"above {above}")
    if upper:
        words.append(f"to {upper}" if words else f"of at most {upper}")
    if below:
        words.append(f"to below {below}" if words else f"below {below}")
    if step := schema.get("multipleOf"):
        words.append(f"that is a multiple of {step}")
    return "".join(f" {word}" for word in words)


def _bound(schema: Schema, name: str) -> str:
    if name not in schema:
        return ""
    bound = schema[name]
    return f"{bound:,}" if bound >= 10**6 else str(bound).removesuffix(".0")
