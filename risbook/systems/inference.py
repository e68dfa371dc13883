"""One image, some sentences: from pixels to probabilities at the image's own resolution."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from risbook.data.letterbox import Letterbox, normalise
from risbook.errors import DataError
from risbook.systems.image_input import ImageInput, as_rgb
from risbook.systems.postprocess import probabilities_at_original_size
from risbook.systems.system import System


@torch.inference_mode()
def predict_probabilities(
    system: System, image: ImageInput, sentences: Sequence[str]
) -> list[NDArray[np.float32]]:
    """Probability of each pixel to belong to the object, for each sentence.

    Args:
        system: used in evaluation mode and left in the mode that it was in.
        image: see `as_rgb`.
        sentences: N sentences.

    Returns:
        N arrays, float32 (H, W).

    Raises:
        DataError: for an empty sentence, one that is not valid text, or an image that cannot be
            read.
    """
    for sentence in sentences:
        _check_sentence(sentence)
    if not sentences:
        return []
    pixels = as_rgb(image)
    letterbox = Letterbox(height=pixels.shape[0], width=pixels.shape[1], size=system.image_size)
    device = next(system.parameters()).device
    images = torch.from_numpy(normalise(letterbox.image(pixels)))[None].to(device)  # (1, 3, S, S)
    token_ids = system.tokenizer(sentences).to(device)
    was_training = system.training
    system.eval()
    try:
        logits = system(images.expand(len(sentences), -1, -1, -1), token_ids).float().cpu()
    finally:
        system.train(was_training)
    return probabilities_at_original_size(logits, [letterbox] * len(sentences))


def _check_sentence(sentence: object) -> None:
    if not isinstance(sentence, str):
        raise DataError(f"the sentence is a {type(sentence).__name__}, not text")
    if not sentence.strip():
        raise DataError("the sentence is empty; say which object is meant")
    try:
        sentence.encode()
    except UnicodeEncodeError as error:
        raise DataError("the sentence is not valid text") from error
