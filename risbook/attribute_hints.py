"""Names of a package that are imported at first use, and answers to names that it does not have."""

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from importlib import import_module
from typing import Any


def lazy_attributes(
    package: str, modules: Mapping[str, str], hints: Mapping[str, str] | None = None
) -> Callable[[str], Any]:
    """Make the ``__getattr__`` of a package.

    Args:
        package: its name.
        modules: name of an attribute -> the module that has it, with ":" and its name there, where
            that is another; for a module of the package, the module itself.
        hints: see `missing_attribute`.
    """

    def get_attribute(name: str) -> Any:
        if name not in modules:
            names = {*modules, *vars(import_module(package))}
            raise missing_attribute(f"module {package!r}", name, names, hints or {}, prefix=package)
        path, _, attribute = modules[name].partition(":")
        module = import_module(path)
        return module if path == f"{package}.{name}" else getattr(module, attribute or name)

    return get_attribute


def missing_attribute(
    owner: str, name: str, names: Iterable[str], hints: Mapping[str, str], *, prefix: str
) -> AttributeError:
    """The error for an attribute that a module or an object does not have.

    Args:
        owner: the module or the object in words, for instance "module 'risbook'".
        name: what was asked for.
        names: what there is.
        hints: names of other libraries, in small letters, and what to write here.
        prefix: how the owner is written in code.

    >>> missing_attribute("module 'm'", "laod", ["load"], {}, prefix="m")
    AttributeError("module 'm' has no attribute 'laod'; try m.load")
    """
    message = f"{owner} has no attribute {name!r}"
    if name.startswith("_"):  # asked for by Python itself, and seldom read by people
        return AttributeError(message)
    close = close_name(name, names)
    fallback = f"{prefix}.{close}" if close else f"dir({prefix}) for what there is"
    return AttributeError(f"{message}; try {hints.get(name.lower(), fallback)}")


def close_name(name: str, names: Iterable[str]) -> str:
    """The one of `names` that is spelled most like `name`, "" where none is close.

    A longer form of the name comes before other names that look like it:

    >>> close_name("etris", ["detris-s", "etris-mini"])
    'etris-mini'
    """
    names = list(names)
    longer = [other for other in names if other.startswith(f"{name.lower()}-")]
    # The first in the order of the list, unless the name is a small part of it.
    alike = get_close_matches(name.lower(), longer, n=len(longer) or 1, cutoff=0.6)
    close = [other for other in longer if other in alike]
    close = close or get_close_matches(name.lower(), names, n=1, cutoff=0.7)
    return close[0] if close else ""
