"""One image, one expression, one mask: what the command line and a reader's photograph need."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from risbook.data.letterbox import Letterbox, normalise
from risbook.errors import DataError
from risbook.systems.postprocess import THRESHOLD, probabilities_at_original_size
from risbook.systems.system import System


@dataclass(frozen=True, slots=True)
class Prediction:
    """The mask of one expression.

    Args:
        probability: float32 (H, W) at the image's own resolution.
        mask: bool (H, W), the probability strictly above the threshold.
        unknown_words: words of the expression that the system's vocabulary lacks.
    """

    probability: NDArray[np.float32]
    mask: NDArray[np.bool_]
    unknown_words: tuple[str, ...]


@torch.inference_mode()
def predict(
    system: System, image: NDArray[np.uint8], sentence: str, *, threshold: float = THRESHOLD
) -> Prediction:
    """Segment the object that a sentence refers to.

    Args:
        system: the system, used in evaluation mode.
        image: RGB image, uint8 (H, W, 3).
        sentence: the expression.
        threshold: probability strictly above which a pixel belongs to the mask.

    Returns:
        The prediction at the image's own resolution.

    Raises:
        DataError: the sentence is empty, or the array is no RGB image.
    """
    if not sentence.strip():
        raise DataError("the sentence is empty; say which object is meant")
    try:
        sentence.encode()
    except UnicodeEncodeError as error:
        raise DataError("the sentence is not valid text") from error
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise DataError(f"the image is {image.dtype} {image.shape}, not uint8 (H, W, 3)")
    letterbox = Letterbox(height=image.shape[0], width=image.shape[1], size=system.image_size)
    device = next(system.parameters()).device
    pixels = torch.from_numpy(normalise(letterbox.image(image)))[None].to(device)
    # Before the tokenizer runs, so that it need not warn of them as well.
    unknown_words = tuple(system.tokenizer.unknown_words(sentence))
    was_training = system.training
    system.eval()
    logits = system(pixels, system.tokenizer([sentence]).to(device)).float().cpu()
    system.train(was_training)
    probability = probabilities_at_original_size(logits[0, 0], letterbox)
    return Prediction(
        probability=probability,
        mask=probability > threshold,
        unknown_words=unknown_words,
    )
