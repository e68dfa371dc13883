"""Errors for keywords that a function does not have: the message gives the right one."""

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
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
        kinds = {
            key: parameter.kind for key, parameter in signature.parameters.items() if key != "self"
        }
        is_open = inspect.Parameter.VAR_KEYWORD in kinds.values()
        names = [key for key, kind in kinds.items() if kind is not inspect.Parameter.VAR_KEYWORD]
        by_keyword = [key for key, kind in kinds.items() if kind is inspect.Parameter.KEYWORD_ONLY]
        required = [
            key
            for key in by_keyword
            if signature.parameters[key].default is inspect.Parameter.empty
        ]
        called = name or function.__qualname__.removesuffix(".__init__")

        @wraps(function)
        def checked(*arguments: Any, **keywords: Any) -> Any:
            for keyword in keywords:
                if keyword not in names and (keyword in hints or not is_open):
                    hint = hints.get(keyword) or close_name(keyword, names)
                    write = f"write {hint} " if hint else ""
                    raise TypeError(
                        f"{called} has no keyword {keyword!r}; {write}(it has {', '.join(names)})"
                    )
            positional = len(signature.parameters) - len(by_keyword) - is_open
            if len(arguments) > positional and by_keyword:
                usage = ", ".join(f"{key}=..." for key in required or by_keyword[:2])
                raise TypeError(
                    f"{called} takes these arguments by keyword only: {called}({usage})"
                )
            try:
                signature.bind(*arguments, **keywords)
            except TypeError as error:  # an argument is missing
                raise TypeError(f"{called}: {error} (it has {', '.join(names)})") from None
            return function(*arguments, **keywords)

        return cast(FunctionT, checked)

    return decorate
