"""Errors for keywords that a function does not have: the message names the right one."""

import inspect
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from functools import wraps
from typing import Any, TypeVar, cast

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])


def suggest_keywords(hints: Mapping[str, str]) -> Callable[[FunctionT], FunctionT]:
    """Decorate a function so that an unknown keyword is answered with the one that was meant.

    Args:
        hints: other people's keywords and what to write here.

    >>> @suggest_keywords({"vis_dim": "image_dim"})
    ... def build(*, image_dim): ...
    >>> build(vis_dim=3)
    Traceback (most recent call last):
        ...
    TypeError: build has no keyword 'vis_dim'; write image_dim (it has image_dim)
    """

    def decorate(function: FunctionT) -> FunctionT:
        parameters = list(inspect.signature(function).parameters)
        names = [name for name in parameters if name != "self"]

        @wraps(function)
        def checked(*arguments: Any, **keywords: Any) -> Any:
            for keyword in keywords:
                if keyword not in names:
                    close = get_close_matches(keyword, names, n=1)
                    hint = hints.get(keyword) or (close[0] if close else "")
                    write = f"write {hint} " if hint else ""
                    name = function.__qualname__.removesuffix(".__init__")
                    raise TypeError(
                        f"{name} has no keyword {keyword!r}; {write}(it has {', '.join(names)})"
                    )
            return function(*arguments, **keywords)

        return cast(FunctionT, checked)

    return decorate
