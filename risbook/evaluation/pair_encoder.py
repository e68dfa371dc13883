"""Logits of many pairs of an image and a sentence, without computing anything twice.

Each distinct sentence is encoded once in advance where the text tower of a system reads no image
(DETRIS, Huang et al., 2025). Sentences about one image share what depends on the image alone.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from risbook.config import Precision
from risbook.layers.precision import DTYPES, choose_precision
from risbook.systems.evaluation_mode import evaluation_mode
from risbook.systems.system import System
from risbook.towers.features import TextFeatures

#: sentences per pass of the text tower
TEXT_BATCH = 256


class PairEncoder:
    """A system in evaluation mode, with the sentences of a split.

    Args:
        system: on any device; each of its modules is left in the mode that it was in.
        sentences: those that will be asked for.
        precision: arithmetic of the network, see `choose_precision`.
    """

    def __init__(
        self, system: System, sentences: Sequence[str], *, precision: Precision = "no"
    ) -> None:
        self.system = system
        parameters = system.parameters()
        self.device = next((value.device for value in parameters), torch.device("cpu"))
        self.dtype = DTYPES[choose_precision(precision, self.device)]
        self.rows = {sentence: row for row, sentence in enumerate(dict.fromkeys(sentences))}
        self._text = self._encode(list(self.rows))

    @torch.inference_mode()
    def logits(self, images: Tensor, sentences: Sequence[str], image_index: Tensor) -> Tensor:
        """Logits of pairs, float32 (B, 1, h, w), on the device of the system.

        Args:
            images: letterboxed and normalised, (I, 3, S, S).
            sentences: B of the sentences.
            image_index: int64 (B,), the image of each, rising from 0 to I - 1.
        """
        rows = [self.rows[sentence] for sentence in sentences]
        if isinstance(self._text, Tensor | TextFeatures):
            text = self._text[torch.tensor(rows, device=self.device)]
        else:
            text = self.system.tokenizer(sentences)
        images, image_index = images.to(self.device), image_index.to(self.device)
        with evaluation_mode(self.system), self._autocast():
            if self.system.shares_images:
                logits: Tensor = self.system(images, text, image_index=image_index)
            else:
                logits = self.system(images[image_index], text)
        return logits.float()

    @torch.inference_mode()
    def _encode(self, sentences: list[str]) -> Tensor | TextFeatures | None:
        """A row per sentence: what `encode_text` returns; None for a network without token ids."""
        token_ids = self.system.tokenizer(sentences)
        if not isinstance(token_ids, Tensor):
            return None
        token_ids = token_ids.to(self.device)
        with evaluation_mode(self.system), self._autocast():
            parts = [self.system.encode_text(chunk) for chunk in torch.split(token_ids, TEXT_BATCH)]
        if not all(isinstance(part, TextFeatures) for part in parts):
            return token_ids
        fields = ("text_tokens", "sentence_embedding", "key_padding_mask")
        return TextFeatures(
            **{name: torch.cat([getattr(part, name) for part in parts]) for name in fields}
        )

    def _autocast(self) -> torch.autocast:
        is_mixed = self.dtype != torch.float32
        return torch.autocast(
            self.device.type, self.dtype if is_mixed else torch.bfloat16, enabled=is_mixed
        )
