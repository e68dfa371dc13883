"""Any network of images and sentences as a system, so that it is trained and scored like others."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from risbook.config import configuration
from risbook.errors import ArgumentError
from risbook.systems.system import System


class Sentences(list[str]):
    """B sentences where other systems have token ids (B, L)."""

    def to(self, device: str | torch.device) -> "Sentences":
        """The same sentences: text is on no device."""
        return self


class RawSentences:
    """In place of a tokenizer, for a network that takes the sentences as they are."""

    length = 0

    def __call__(self, sentences: Sequence[str]) -> Any:
        """The sentences."""
        return Sentences([sentences] if isinstance(sentences, str) else sentences)

    def num_tokens(self, sentence: str) -> int:
        """Always 0."""
        return 0

    def unknown_words(self, sentence: str) -> list[str]:
        """Always empty."""
        return []

    def to_file(self, path: Path) -> None:
        """Write nothing, because nothing is needed."""


@configuration
class NetworkConfig:
    """What is known of a network of one's own.

    Args:
        network: name of its class.
    """

    network: str = ""


class NetworkSystem(System):
    """A network of one's own.

    Args:
        network: takes images (B, 3, S, S), letterboxed and normalised, and B sentences; returns
            logits (B, 1, h, w) of any size.
        image_size: side S, pixels.
    """

    owns_tokenizer = False
    loadable = False

    def __init__(self, network: nn.Module, *, image_size: int) -> None:
        super().__init__(
            NetworkConfig(network=type(network).__name__),
            name="network",
            image_size=image_size,
            tokenizer=RawSentences(),
        )
        self.network = network
        self.training = network.training

    def __call__(self, images: Tensor, text: Any, **options: Any) -> Tensor:
        """Logits of images and sentences; images keep their size."""
        logits: Tensor = nn.Module.__call__(self, images, text, **options)
        return logits

    def forward(self, images: Tensor, text: Any, **options: Any) -> Tensor:  # type: ignore[override]
        """Logits (B, 1, h, w) of images and B sentences; the network gets the options as well.

        Raises:
            ArgumentError: if the network returns another shape.
        """
        sentences = [text] if isinstance(text, str) else list(text)
        logits: Tensor = self.network(images, sentences, **options)
        if logits.ndim != 4 or logits.shape[:2] != (len(images), 1):
            raise ArgumentError(
                f"{self.config.network} returns {tuple(logits.shape)}; logits are (B, 1, h, w), "
                f"here ({len(images)}, 1, h, w)"
            )
        return logits
