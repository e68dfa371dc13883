"""Errors for keywords that a function does not have: the message gives the right one."""

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from inspect import Parameter
from typing import Any, TypeVar, cast

from risbook.attribute_hints import close_name

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])


def suggest_keywords(
    hints: Mapping[str, str], *, name: str = ""
) -> Callable[[FunctionT], FunctionT]:
    """Decorate a function so that wrong arguments are answered with the right ones.

    Args:
        hints: keywords of other libraries and what to write here.
        name: how users call the function; without it, its own name.

    >>> @suggest_keywords({"vis_dim": "image_dim"})
    ... def build(*, image_dim): ...
    >>> build(vis_dim=3)
    Traceback (most recent call last):
        ...
    TypeError: build has no keyword 'vis_dim'; write image_dim (it has image_dim)
    >>> build(3)
    Traceback (most recent call last):
        ...
    TypeError: build takes these arguments by keyword only: build(image_dim=...)
    """

    def decorate(function: FunctionT) -> FunctionT:
        signature = inspect.signature(function)
        parameters = list(signature.parameters.values())
        is_open = any(p.kind is p.VAR_KEYWORD for p in parameters)
        names = [p.name for p in parameters if p.name != "self" and p.kind is not p.VAR_KEYWORD]
        by_keyword = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
        required = [
            key for key in by_keyword if signature.parameters[key].default is Parameter.empty
        ]
        positional = len(parameters) - len(by_keyword) - is_open
        called = name or function.__qualname__.removesuffix(".__init__")
        offer = f"(it has {', '.join(names)})"

        @wraps(function)
        def checked(*arguments: Any, **keywords: Any) -> Any:
            for keyword in keywords:
                if keyword not in names and (keyword in hints or not is_open):
                    hint = hints.get(keyword) or close_name(keyword, names)
                    write = f"write {hint} " if hint else ""
                    raise TypeError(f"{called} has no keyword {keyword!r}; {write}{offer}")
            if len(arguments) > positional and by_keyword:
                usage = ", ".join(f"{key}=..." for key in required or by_keyword[:2])
                raise TypeError(
                    f"{called} takes these arguments by keyword only: {called}({usage})"
                )
            try:
                signature.bind(*arguments, **keywords)
            except TypeError as error:  # an argument is missing
                raise TypeError(f"{called}: {error} {offer}") from None
            return function(*arguments, **keywords)

        return cast(FunctionT, checked)

    return decorate
