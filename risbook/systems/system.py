"""What every system has in common, so that one loop trains and one loop evaluates them all.

A system is two towers, adapters between or inside them, and a decoder. It knows the size of
image that it reads and the tokenizer that its text tower was made for; everything else about
training and evaluation lies outside.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import torch.nn.functional as F
from torch import Tensor, nn

from risbook.errors import DataError, RisbookError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


class Tokenizer(Protocol):
    """Sentences to ids; what a system needs to know of its text tower's tokenizer."""

    length: int

    def __call__(self, sentences: Sequence[str]) -> Tensor:
        """B sentences to ids (B, L)."""

    def unknown_words(self, sentence: str) -> list[str]:
        """The words of a sentence that the tower has never seen."""

    def to_file(self, path: Path) -> None:
        """Write what is needed to make the same tokenizer again."""


class NoTokenizer:
    """In place of a tokenizer where a system is made for its shapes alone.

    Args:
        length: ids a sentence.
    """

    def __init__(self, length: int) -> None:
        self.length = length

    def __call__(self, sentences: Sequence[str]) -> Tensor:
        """Refuses."""
        raise RisbookError("this system was made without its tokenizer")

    def unknown_words(self, sentence: str) -> list[str]:
        """None that would be known of."""
        return []

    def to_file(self, path: Path) -> None:
        """Refuses."""
        raise RisbookError("this system was made without its tokenizer")


def target_at(mask: Tensor, size: Sequence[int]) -> Tensor:
    """Bring the letterboxed mask to the size of the logits, as the released codes do.

    Nearest neighbour: the target of logit (i, j) is the mask's pixel (s i, s j) with stride s
    (ETRIS and DETRIS, training code).

    Args:
        mask: (B, 1, S, S) in [0, 1].
        size: height and width of the logits.

    Returns:
        (B, 1, *size).
    """
    return F.interpolate(mask, size=tuple(size), mode="nearest")


class System(nn.Module):
    """Base class of all systems.

    Args:
        name: the preset's name, written into checkpoints and results.
        image_size: side S of the letterboxed input, pixels.
        tokenizer: the text tower's tokenizer.
    """

    #: whether a checkpoint has to hold the tokenizer; a pretrained text tower brings its own
    owns_tokenizer = True
    #: the choices that build it again
    config: "DataclassInstance"

    def __init__(self, *, name: str, image_size: int, tokenizer: Tokenizer) -> None:
        super().__init__()
        self.name = name
        self.image_size = image_size
        self.tokenizer = tokenizer

    def forward(
        self, image: Tensor, tokens: Tensor, *, record: dict[str, Tensor] | None = None
    ) -> Tensor:
        """Logits (B, 1, S / s, S / s) of images (B, 3, S, S) and ids (B, L).

        The stride s is the decoder's: 4 in the published systems.
        """
        raise TypeError(f"{type(self).__name__} does not say how it runs: define forward")

    def loss(self, logits: Tensor, mask: Tensor) -> Tensor:
        """Binary cross-entropy over all positions, mean over the batch.

        This is what ETRIS and DETRIS call text-to-pixel contrastive loss: the released codes
        compute exactly this.

        Args:
            logits: (B, 1, h, w).
            mask: letterboxed mask (B, 1, S, S) in [0, 1].

        Returns:
            A scalar.
        """
        target = target_at(mask, logits.shape[-2:])
        return F.binary_cross_entropy_with_logits(logits.float(), target.float())

    def configuration(self) -> dict[str, Any]:
        """The choices as plain values, for a JSON file."""
        return asdict(self.config)

    def saved_state(self) -> dict[str, Tensor]:
        """What a checkpoint has to hold, by name; here all of it."""
        return dict(self.state_dict())

    def load_saved(self, state: Mapping[str, Tensor]) -> None:
        """Take what `saved_state` gave.

        Raises:
            DataError: names the entry that is missing, too many or of another shape.
        """
        wanted = self.saved_state()
        if different := sorted(set(state) ^ set(wanted)):
            raise DataError(f"missing or surplus: {different[0]}")
        for name, value in wanted.items():
            if state[name].shape != value.shape:
                raise DataError(f"{name} is {tuple(state[name].shape)}, not {tuple(value.shape)}")
        ready = {name: state[name].to(value.dtype) for name, value in wanted.items()}
        self.load_state_dict(ready, strict=False)

    def origins(self) -> dict[str, dict[str, Any]]:
        """Where the pretrained parts' weights come from, by part, as plain values; here none."""
        return {}
