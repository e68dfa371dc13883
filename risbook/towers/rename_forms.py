"""A table of names: how weights under other people's names become a tower's, and the way back.

Nothing is guessed from shapes. A line says "their name, our name, and what happens to the values
in between", and a name that no line explains is an error that names it.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import torch
from torch import Tensor

from risbook.errors import DataError

#: The designs of tower that weights can be for; see `risbook.towers.build`.
Family = Literal["clip-vit", "clip-resnet", "clip-text", "dinov2"]

Tensors = Sequence[Tensor]

#: What the placeholders of a table stand for.
PLACEHOLDERS = {
    "n": r"\d+",
    "n2": "[12]",
    "w": "weight|bias",
    "b": "weight|bias|running_mean|running_var|num_batches_tracked",
    "p": "[qkvc]",
    "any": ".+",
}


@dataclass(frozen=True)
class Change:
    """What happens to the values on the way to our names, and on the way back.

    Args:
        to_ours: from their tensors to ours, in the order of a line's names.
        to_theirs: the way back.
    """

    to_ours: Callable[[Tensors], Tensors]
    to_theirs: Callable[[Tensors], Tensors]


@dataclass(frozen=True)
class Line:
    """One line of a table: ``{n}`` and the like stand for the same text on both sides.

    Args:
        theirs: their name, or names.
        ours: our name, or names; none for what our towers do not have.
        change: what happens to the values.
    """

    theirs: tuple[str, ...]
    ours: tuple[str, ...]
    change: Change


@dataclass(frozen=True)
class Form:
    """One set of names for one family of towers.

    Args:
        name: for messages: whose names they are.
        family: which towers they fit.
        marker: a name by which a file in this form is recognised.
        lines: the table.
        elsewhere: beginnings of names that belong to the other tower of a pair.
        ignored: names that stand for nothing that a tower computes with.
    """

    name: str
    family: Family
    marker: str
    lines: tuple[Line, ...]
    elsewhere: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()

    def to_ours(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Bring weights in this form to our names.

        Args:
            state: their names and values.

        Returns:
            Our names and values; views of theirs where the values stay as they are.

        Raises:
            DataError: for a name that no line explains, or one that is missing beside another.
        """
        found: dict[str, Tensor] = {}
        left = {name for name in state if not self._leaves_out(name)}
        for name in state:
            if name not in left:
                continue
            line, values = self._line(name)
            theirs = [template.format(**values) for template in line.theirs]
            if missing := [one for one in theirs if one not in state]:
                raise DataError(f"{missing[0]} is missing beside {name} ({self.name} names)")
            left.difference_update(theirs)
            tensors = line.change.to_ours([state[one] for one in theirs])
            ours = [template.format(**values) for template in line.ours]
            found.update(zip(ours, tensors, strict=True))
        return found

    def to_theirs(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Bring a tower's weights into this form, to compare with or to hand on.

        Args:
            state: our names and values.

        Returns:
            Their names and values.

        Raises:
            DataError: for a name that no line explains.
        """
        found: dict[str, Tensor] = {}
        left = set(state)
        for name in state:
            if name not in left:
                continue
            line, values = self._line(name, ours=True)
            ours = [template.format(**values) for template in line.ours]
            left.difference_update(ours)
            tensors = line.change.to_theirs([state[one] for one in ours])
            theirs = [template.format(**values) for template in line.theirs]
            found.update(zip(theirs, tensors, strict=True))
        return found

    def _leaves_out(self, name: str) -> bool:
        return name in self.ignored or name.startswith(self.elsewhere)

    def _line(self, name: str, *, ours: bool = False) -> tuple[Line, dict[str, str]]:
        for line in self.lines:
            for template in line.ours if ours else line.theirs:
                if match := _pattern(template).fullmatch(name):
                    return line, match.groupdict()
        raise DataError(f"{name}: no such weight in a {self.family} tower ({self.name} names)")


@cache
def _pattern(template: str) -> re.Pattern[str]:
    """A name with placeholders as a regular expression."""
    parts = re.split(r"\{(\w+)\}", template)
    words = [
        f"(?P<{part}>{PLACEHOLDERS[part]})" if index % 2 else re.escape(part)
        for index, part in enumerate(parts)
    ]
    return re.compile("".join(words))


# what can happen to values ------------------------------------------------------------


def _only(tensors: Tensors) -> Tensor:
    (tensor,) = tensors
    return tensor


def _no_bias(tensors: Tensors) -> Tensors:
    bias = _only(tensors)
    if not bias.is_meta and bool(bias.any()):
        raise DataError("the projection has a bias that is not zero; CLIP's has none")
    return []


def _fold(tensors: Tensors) -> Tensors:
    first, table = tensors
    return [first + table[:, :1], table[:, 1:]]


def _unfold(tensors: Tensors) -> Tensors:
    first, table = tensors
    return [first, torch.cat([torch.zeros_like(first), table], dim=1)]


SAME = Change(lambda tensors: tensors, lambda tensors: tensors)
#: (C) to (1, 1, C): one token
TOKEN = Change(lambda t: [_only(t)[None, None]], lambda t: [_only(t)[0, 0]])
#: (N, C) to (1, N, C): a row for each token
TABLE = Change(lambda t: [_only(t)[None]], lambda t: [_only(t)[0]])
#: a linear layer's weight (P, C) to a matrix (C, P)
TRANSPOSED = Change(lambda t: [_only(t).T], lambda t: [_only(t).T])
#: queries, keys and values on top of each other, to three
SPLIT = Change(lambda t: _only(t).chunk(3), lambda t: [torch.cat(list(t))])
#: three, to queries, keys and values on top of each other
JOINED = Change(SPLIT.to_theirs, SPLIT.to_ours)
#: the class token and its row of the position table, to their sum: timm's form with registers
FOLDED = Change(_fold, _unfold)
#: timm's linear layer has a bias where CLIP has none
NO_BIAS = Change(_no_bias, lambda tensors: tensors)


def same(theirs: str, ours: str, change: Change = SAME) -> Line:
    """A line of one name on each side."""
    return Line((theirs,), (ours,), change)


def under(theirs: str, ours: str, lines: tuple[Line, ...]) -> tuple[Line, ...]:
    """Lines with something before their and our names."""
    return tuple(
        Line(
            tuple(theirs + name for name in line.theirs),
            tuple(ours + name for name in line.ours),
            line.change,
        )
        for line in lines
    )
