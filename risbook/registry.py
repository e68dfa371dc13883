"""Tables of what configurations name: systems, towers, methods, necks, losses."""

from collections.abc import Mapping
from typing import TypeVar

from risbook.attribute_hints import close_name
from risbook.errors import ArgumentError

T = TypeVar("T")


class Registry(dict[str, T]):
    """A dictionary by name that answers an unknown name with those that it has.

    Args:
        noun: what an entry is, for messages.
        entries: the entries of the package; item assignment adds others.
        hints: names that are no entries -> the entries that messages propose for them.

    >>> necks = Registry("neck", {"hierarchical": 3, "last": 1})
    >>> necks.lookup("last")
    1
    >>> necks.lookup("hierarchy")
    Traceback (most recent call last):
    risbook.errors.ArgumentError: no neck is called 'hierarchy'; did you mean 'hierarchical'? \
there are: hierarchical, last
    """

    def __init__(
        self, noun: str, entries: Mapping[str, T], *, hints: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(entries)
        self.noun = noun
        self.hints = hints or {}

    def lookup(self, name: object) -> T:
        """The entry of a name.

        Raises:
            ArgumentError: if there is none; the message has the closest name, and all of them.
        """
        if isinstance(name, str) and name in self:
            return self[name]
        close = self.hints.get(str(name).lower()) or close_name(str(name), self)
        hint = f"did you mean {close!r}? " if close else ""
        raise ArgumentError(
            f"no {self.noun} is called {name!r}; {hint}there are: {', '.join(self)}"
        )
