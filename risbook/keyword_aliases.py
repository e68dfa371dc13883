"""Keywords of other libraries: aliases are taken, and other mistakes get a hint.

People who know timm, peft or transformers write ``lora_alpha`` or ``img_size`` first. An alias of
one of our keywords does what it says; for anything else the error names the right keyword.
"""

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from inspect import Parameter
from typing import Any, TypeVar, cast

from risbook.attribute_hints import close_name

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])


def keyword_aliases(
    aliases: Mapping[str, str], *, hints: Mapping[str, str] | None = None, name: str = ""
) -> Callable[[FunctionT], FunctionT]:
    """Decorate a function that is called by newcomers.

    Args:
        aliases: name that is accepted -> keyword of the function.
        hints: keywords that have no counterpart here, and what to do in place of them.
        name: how users call the function; without it, its own name.

    >>> @keyword_aliases({"vis_dim": "image_dim"}, hints={"bias": "all layers have one"})
    ... def build(*, image_dim): return image_dim
    >>> build(vis_dim=3)
    3
    >>> build(image_dims=3)
    Traceback (most recent call last):
        ...
    TypeError: build has no keyword 'image_dims'; did you mean image_dim? (it has image_dim)
    >>> build(bias=True)
    Traceback (most recent call last):
        ...
    TypeError: build has no keyword 'bias': all layers have one (it has image_dim)
    >>> build(vis_dim=3, image_dim=4)
    Traceback (most recent call last):
        ...
    TypeError: build: vis_dim is another name of image_dim; give one
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

        def unknown(keyword: str) -> TypeError:
            message = f"{called} has no keyword {keyword!r}"
            if hint := (hints or {}).get(keyword):
                return TypeError(f"{message}: {hint} {offer}")
            close = close_name(keyword, names)
            return TypeError(f"{message};{f' did you mean {close}?' if close else ''} {offer}")

        @wraps(function)
        def checked(*arguments: Any, **keywords: Any) -> Any:
            for keyword in list(keywords):
                if keyword in names:
                    continue
                alias = aliases.get(keyword)
                given = [*keywords, *list(signature.parameters)[: len(arguments)]]
                if alias in given:
                    raise TypeError(f"{called}: {keyword} is another name of {alias}; give one")
                if alias is not None:
                    keywords[alias] = keywords.pop(keyword)
                elif not is_open or keyword in (hints or {}):
                    raise unknown(keyword)
            if len(arguments) > positional and by_keyword:
                usage = ", ".join(f"{key}=..." for key in required or by_keyword[:2])
                raise TypeError(
                    f"{called} takes these arguments by keyword only: {called}({usage})"
                )
            try:
                return function(*arguments, **keywords)
            except TypeError:
                try:  # binding takes time, so only a call that failed is bound
                    signature.bind(*arguments, **keywords)
                except TypeError as error:  # an argument is missing
                    raise TypeError(f"{called}: {error} {offer}") from None
                raise

        return cast(FunctionT, checked)

    return decorate
