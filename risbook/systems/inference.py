"""Images and sentences to masks or probabilities at the images' own resolution."""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from risbook.data.image_input import ImageInput, ImageInputs, ImageList, as_rgb
from risbook.data.letterbox import Letterbox, normalise
from risbook.errors import ArgumentError
from risbook.systems.evaluation_mode import evaluation_mode
from risbook.systems.postprocess import probabilities_at_original_size, threshold_mask
from risbook.systems.system import System
from risbook.tokenizers.sentence_tokenizer import check_text


def predict(
    system: System,
    image: ImageInputs,
    text: str | Sequence[str],
    *,
    threshold: float,
    return_probability: bool,
) -> NDArray[Any] | list[NDArray[Any]]:
    """`System.predict`: the arguments, the result and the errors are those given there."""
    results: list[NDArray[Any]] = predict_probabilities(system, image, text)
    if return_probability:
        # bicubic resizing overshoots a little
        results = [probability.clip(0, 1) for probability in results]
    else:
        results = [threshold_mask(probability, threshold) for probability in results]
    if isinstance(image, Tensor | np.ndarray) and is_batch(image):
        return np.stack(results)
    return results[0] if isinstance(text, str) and not is_batch(image) else results


def predict_probabilities(
    system: System,
    image: ImageInputs,
    text: str | Sequence[str],
) -> list[NDArray[np.float32]]:
    """Probability of each pixel to belong to the object, for each sentence.

    Args:
        system: used in evaluation mode; each of its modules is left in the mode that it was in.
        image: see `as_rgb`; or N of them.
        text: N sentences; one sentence for N images stands for each of them.

    Returns:
        N arrays, float32 (H, W).

    Raises:
        ArgumentError: for an empty sentence, or another number of sentences than of images.
        DataError: for a sentence that is not valid text, or an image that cannot be read.
    """
    if not isinstance(text, str | list | tuple):
        raise ArgumentError(f"the sentence is a {type(text).__name__}, not text")
    sentences = [text] if isinstance(text, str) else list(text)
    for sentence in sentences:
        check_text(sentence)
        if not sentence.strip():
            raise ArgumentError("the sentence is empty; say which object is meant")
    if not is_batch(image):
        return _predict_image(system, as_rgb(cast(ImageInput, image)), sentences)
    images = list(cast(ImageList, image))
    if isinstance(text, str):
        sentences = [text] * len(images)
    if len(images) != len(sentences):
        raise ArgumentError(
            f"there are {len(images)} images and {len(sentences)} sentences; give one sentence per "
            "image, or one for all of them"
        )
    pairs = zip(images, sentences, strict=True)
    return [_predict_image(system, as_rgb(each), [sentence])[0] for each, sentence in pairs]


def is_batch(image: object) -> bool:
    """Whether this is several images: a list, or an array or tensor of four axes."""
    return isinstance(image, list | tuple) or getattr(image, "ndim", 0) == 4


@torch.inference_mode()
def _predict_image(
    system: System, pixels: NDArray[np.uint8], sentences: Sequence[str]
) -> list[NDArray[np.float32]]:
    if not sentences:
        return []
    letterbox = Letterbox(height=pixels.shape[0], width=pixels.shape[1], size=system.image_size)
    device = next(system.parameters()).device
    images = torch.from_numpy(normalise(letterbox.image(pixels)))[None].to(device)  # (1, 3, S, S)
    token_ids = system.tokenizer(sentences).to(device)
    with evaluation_mode(system):
        logits = system(images.expand(len(sentences), -1, -1, -1), token_ids).float().cpu()
    return probabilities_at_original_size(logits, [letterbox] * len(sentences))
