"""What is known of the authors' repositories, and of the data that their models were trained on.

A checkpoint of theirs does not hold how many token ids a sentence has. That follows from the data
set, which the caller gives or the file's name tells.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from risbook.errors import ArgumentError

#: what the name of a file holds -> the data set, as the released configurations name it; the first
#: that fits counts. "refcocog" and "refcoco_g" leave open which of its two partitions is meant, and
#: "grefcoco" is another data set (gRefCOCO).
DATA_IN_FILE_NAMES = {
    r"mix(ed)?(?![a-z])": "refcoco_mixed",
    r"(?<![a-z])refcoco[_-]?g[_-]?(u|umd)(?![a-z])": "refcocog_u",
    r"(?<![a-z])refcoco[_-]?g[_-]?(g|google)(?![a-z])": "refcocog_g",
    r"(?<![a-z])refcoco[_-]?(\+|p|plus)(?![a-z])": "refcoco+",
    r"(?<![a-z])refcoco(?![a-z]|[_-](g|google|u|umd)(?![a-z]))": "refcoco",
}


@dataclass(frozen=True)
class ReleasedCode:
    """The authors' code of a system, whose checkpoints are read.

    Args:
        repository: "owner/name" on GitHub.
        license: its license, as the Hub abbreviates it.
        max_tokens: token ids per sentence, by data set.
        rename: brings the entries of a checkpoint, without "module.", to the names of the system's
            state; a DataError names an entry that no such checkpoint has.
    """

    repository: str
    license: str
    max_tokens: Mapping[str, int]
    rename: Callable[[Mapping[str, Tensor]], dict[str, Tensor]]

    def find_data(self, path: Path, data: str | None, overrides: Mapping[str, Any]) -> str | None:
        """The data set that a checkpoint was trained on, None if it is not needed and not known.

        Args:
            path: the file.
            data: what the caller gives, None for nothing.
            overrides: changed fields of the configuration; with `max_tokens` among them, the data
                set may be unknown.

        Raises:
            ArgumentError: if the data set is none of the released code, or unknown and needed.
        """
        if data and data not in self.max_tokens:
            raise ArgumentError(
                f"no data set of {self.repository} is called {data!r}; there are: "
                f"{', '.join(self.max_tokens)}"
            )
        data = data or data_of_file(path)
        if data in self.max_tokens:
            return data
        if "max_tokens" in overrides:
            return None
        lengths = ", ".join(f"{name} ({length})" for name, length in self.max_tokens.items())
        raise ArgumentError(
            f"{path}: neither the file nor its name tells what it was trained on, which decides "
            f"how many tokens a sentence has; give the data set, one of {lengths}, or max_tokens"
        )


def data_of_file(path: Path) -> str | None:
    """The data set that the name of a file tells, None if it tells none, or leaves it open.

    >>> [data_of_file(Path(name)) for name in ("lagre_refcoco.pth", "refcocog-umd.pth", "best.pth")]
    ['refcoco', 'refcocog_u', None]
    """
    name = path.stem.lower()
    fitting = [data for part, data in DATA_IN_FILE_NAMES.items() if re.search(part, name)]
    return fitting[0] if fitting else None
