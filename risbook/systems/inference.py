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

#: samples per forward pass: images, or sentences about one image
BATCH_SIZE = 32


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
    is_list = is_batch(image)
    images = list(cast(ImageList, image)) if is_list else []
    if is_list and isinstance(text, str):
        sentences = [text] * len(images)
    if is_list and len(images) != len(sentences):
        raise ArgumentError(
            f"there are {len(images)} images and {len(sentences)} sentences; give one sentence per "
            "image, or one for all of them"
        )
    shared = None if is_list else _letterboxed(system, cast(ImageInput, image))
    results: list[NDArray[np.float32]] = []
    for start in range(0, len(sentences), BATCH_SIZE):
        batch = sentences[start : start + BATCH_SIZE]
        if shared is not None:
            inputs = [shared] * len(batch)
        else:
            inputs = [_letterboxed(system, each) for each in images[start : start + BATCH_SIZE]]
        letterboxes, squares = zip(*inputs, strict=True)
        logits = compute_logits(system, torch.stack(squares), batch)
        results += probabilities_at_original_size(logits, letterboxes)
    return results


def is_batch(image: object) -> bool:
    """Whether this is several images: a list, or an array or tensor of four axes."""
    return isinstance(image, list | tuple) or getattr(image, "ndim", 0) == 4


def _letterboxed(system: System, image: ImageInput) -> tuple[Letterbox, Tensor]:
    """The letterbox of an image, and the normalised square (3, S, S)."""
    pixels = as_rgb(image)
    letterbox = Letterbox(height=pixels.shape[0], width=pixels.shape[1], size=system.image_size)
    return letterbox, torch.from_numpy(normalise(letterbox.image(pixels)))


@torch.inference_mode()
def compute_logits(system: System, images: Tensor, sentences: Sequence[str]) -> Tensor:
    """Logits of one forward pass in evaluation mode.

    Args:
        system: on any device; each of its modules is left in the mode that it was in.
        images: letterboxed and normalised, (B, 3, S, S).
        sentences: B sentences.

    Returns:
        float32 (B, 1, h, w), on the CPU.
    """
    device = next((parameter.device for parameter in system.parameters()), torch.device("cpu"))
    token_ids = system.tokenizer(sentences).to(device)
    with evaluation_mode(system):
        return system(images.to(device), token_ids).float().cpu()
