"""The base class of systems: one loop trains and one loop evaluates all of them.

A system takes an image and a sentence and returns mask logits. It has the size of image that it
reads and the tokenizer of its text tower; everything else about training and evaluation lies
outside.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self, overload

import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from risbook.attribute_hints import missing_attribute
from risbook.config import to_values
from risbook.data.image_input import ImageInput, ImageInputs, ImageList
from risbook.errors import ArgumentError, DataError, warn_user
from risbook.intermediates import NO_INTERMEDIATES, Intermediates
from risbook.keyword_aliases import keyword_aliases
from risbook.synonyms import PREDICT_KEYWORDS, SYSTEM_HINTS
from risbook.systems.losses import mask_cross_entropy, resize_target
from risbook.systems.mismatch import first_mismatch
from risbook.systems.old_checkpoints import rename_old_weights
from risbook.systems.postprocess import THRESHOLD
from risbook.tokenizers.interface import Tokenizer
from risbook.towers.features import TextFeatures


class System(nn.Module):
    """Base class of all systems.

    Its parameters are divided twice. Every parameter is in exactly one *part*, which reports count
    (`part_of`). *Groups* are for the optimiser: sets of tuned parameters that can have a learning
    rate of their own (`parameter_groups`); most parameters are in no group.

    Args:
        config: the choices that build the system again, see `risbook.config`.
        name: the preset's name, written into checkpoints and results.
        image_size: side S of the letterboxed input, pixels.
        tokenizer: the text tower's tokenizer.

    Attributes:
        history: rows of the log of the last training, see `risbook.training.read_log`.
        about: what is known of the weights, as plain values; checkpoints hold it, and their cards
            show it. "license"; "released", the authors' file that was converted; "training", a list
            of runs; "results", a list of tables of scores, whose "kind" is "measured" or
            "reported". What is unknown is not there.
        owns_tokenizer: whether a checkpoint holds the tokenizer; a pretrained text tower brings
            its own.
        loadable: whether `risbook.load` can build it, once `register_system` knows its name.
        backbone_parts: names of the parts (see `part_of`) that papers count to the backbone:
            pretrained towers, and what is trained inside and between them; none without them.
    """

    config: Any
    history: list[dict[str, Any]]
    about: dict[str, Any]
    owns_tokenizer = True
    loadable = True
    backbone_parts: ClassVar[tuple[str, ...]] = ()
    #: whether `forward` takes an `image_index`, and computes once per image what no text changes
    shares_images: bool = False
    #: attributes that other libraries have, and what to write here
    attribute_hints: ClassVar[Mapping[str, str]] = SYSTEM_HINTS
    #: earlier names of weights in checkpoints -> those of today, see `rename_old_weights`
    old_weights: ClassVar[Mapping[str, str]] = {}

    def __init__(self, config: Any, *, name: str, image_size: int, tokenizer: Tokenizer) -> None:
        super().__init__()
        self.config = config
        self.name = name
        self.image_size = image_size
        self.tokenizer = tokenizer
        self.history = []
        self.about = {}
        self._warns_of_size = True

    @classmethod
    def from_pretrained(cls, name: str | Path, *, revision: str | None = None) -> Self:
        """Load a checkpoint, ready to predict.

        Args:
            name: a shipped checkpoint such as "etris-mini", a folder, or "owner/name" on the
                Hugging Face Hub.
            revision: commit, branch or tag on the Hub; None for the newest.

        Returns:
            The system, on the CPU, in evaluation mode.

        Raises:
            DataError: if there is no such checkpoint, or it is one of another class.
        """
        from risbook.systems.checkpoints import load_system

        system = load_system(name, revision=revision)
        if not isinstance(system, cls):
            raise DataError(
                f"{name}: is a checkpoint of {type(system).__name__}, not {cls.__name__}"
            )
        return system

    def save_pretrained(
        self,
        folder: str | Path,
        *,
        dtype: torch.dtype | None = None,
        license: str = "",
        results: str | Path | Mapping[str, Any] | None = None,
    ) -> None:
        """Write a checkpoint, which `from_pretrained` and `risbook.load` read, and its card.

        The card is a ``README.md`` with the Hub's metadata, so that the folder can be uploaded. A
        ``README.md`` that a person wrote stays.

        Args:
            folder: created if it does not exist.
            dtype: a smaller float type for the file, for instance `torch.float16`.
            license: of these weights, as the Hub abbreviates it, for instance "mit".
            results: a file that `risbook evaluate --out` wrote for these weights, or its content;
                it takes the place of earlier measurements in `about`.

        Raises:
            DataError: if the results are no such file, or those of other weights.
        """
        from risbook.systems.checkpoints import save_system
        from risbook.systems.measured_results import note_results

        if license:
            self.about["license"] = license
        if results is not None:
            note_results(self, results)
        save_system(self, folder, dtype=dtype)

    def print_trainable_parameters(self) -> None:
        """Print the tuned and frozen parameters by part; `risbook.count_parameters` has them."""
        from risbook.systems.parameters import count_parameters

        print(count_parameters(self))

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            owner = f"{type(self).__name__!r} object"
            raise missing_attribute(
                owner, name, dir(self), self.attribute_hints, prefix="model"
            ) from None

    @keyword_aliases({"image": "images", "token_ids": "text"}, name="model")
    def __call__(
        self,
        images: Tensor,
        text: Tensor | TextFeatures | str | Sequence[str],
        **options: Any,
    ) -> Tensor:
        """Logits of `forward`, also of sentences, and of letterboxed squares of another size.

        Args:
            images: (B, 3, S, S). Squares of another side than `image_size` are resized to it, with
                a warning, because a model that was trained at one size is poor at others;
                `forward` computes at the size that it is given.
            text: B sentences, which are tokenised; or their token ids (B, L); or what
                `encode_text` made of these.
            options: other arguments of `forward`. With `image_index`, int64 (B,), of a system with
                `shares_images` there are I images for B sentences: sentence b is about image
                ``image_index[b]``, and these numbers rise from 0 to I - 1.

        Raises:
            ArgumentError: if the images are no such tensor.
        """
        if not isinstance(images, Tensor) or images.ndim != 4:
            raise ArgumentError(
                "model(images, sentences) takes a tensor (B, 3, S, S), not "
                f"{type(images).__name__} {tuple(getattr(images, 'shape', ()))}; "
                "model.predict(image, text) takes an image as it is"
            )
        height, width = images.shape[-2:]
        if height == width != self.image_size and not images.is_meta:
            if self._warns_of_size:
                warn_user(
                    f"images of {height} x {width} are resized to the "
                    f"{self.image_size} x {self.image_size} that {self.name} takes; data loaded "
                    f"with image_size={self.image_size} are faster"
                )
                self._warns_of_size = False
            size = (self.image_size, self.image_size)
            images = F.interpolate(images, size=size, mode="bilinear", antialias=True)
        if not isinstance(text, Tensor | TextFeatures):
            sentences = [text] if isinstance(text, str) else list(text)
            text = self.tokenizer(sentences).to(images.device)
        logits: Tensor = super().__call__(images, text, **options)
        return logits

    def forward(
        self, images: Tensor, token_ids: Tensor, *, intermediates: Intermediates = NO_INTERMEDIATES
    ) -> Tensor:
        """Logits (B, 1, S / s, S / s) of images (B, 3, S, S) and token ids (B, L).

        The stride s is the decoder's: 4 in the published systems. Call the system itself,
        ``model(images, text)``, which takes B sentences in place of the token ids as well, and
        resizes images of another size than `image_size`. This method resizes nothing.
        """
        raise NotImplementedError(f"{type(self).__name__} has no forward pass: define forward")

    def encode_text(self, token_ids: Tensor) -> Tensor | TextFeatures:
        """What `forward` takes in place of token ids (B, L), so that a text is encoded once.

        Here these are the ids: a system overrides this if no image changes its text tower.
        """
        return token_ids

    def loss(self, logits: Tensor, mask: Tensor) -> Tensor:
        """The loss of training, a scalar; here `risbook.systems.losses.mask_cross_entropy`.

        Args:
            logits: the result of `forward`, (B, 1, h, w); float32 where `risbook.train` calls it.
            mask: in [0, 1]; of the size of the logits, (B, 1, h, w), where `risbook.train` calls
                it. A loop of your own may give the letterboxed mask (B, 1, S, S) as well: this
                loss resizes it.
        """
        return mask_cross_entropy(logits, resize_target(mask, logits.shape[-2:]))

    @overload
    def predict(
        self,
        image: ImageInput,
        text: str,
        *,
        threshold: float = ...,
        return_probability: bool = ...,
    ) -> NDArray[Any]: ...

    @overload
    def predict(
        self,
        image: ImageInputs,
        text: list[str] | tuple[str, ...],
        *,
        threshold: float = ...,
        return_probability: bool = ...,
    ) -> list[NDArray[Any]]: ...

    @overload
    def predict(
        self,
        image: ImageList,
        text: str,
        *,
        threshold: float = ...,
        return_probability: bool = ...,
    ) -> list[NDArray[Any]]: ...

    @keyword_aliases(
        PREDICT_KEYWORDS,
        hints={
            "return_logits": "model(images, sentences) gives logits",
            "device": "move the model first, model.to(device)",
        },
        name="model.predict",
    )
    def predict(
        self,
        image: ImageInputs,
        text: str | list[str] | tuple[str, ...],
        *,
        threshold: float = THRESHOLD,
        return_probability: bool = False,
    ) -> NDArray[Any] | list[NDArray[Any]]:
        """Segment the object that a sentence refers to.

        Args:
            image: a path, a PIL image, an array (H, W, 3), or a tensor (3, H, W); or a list of
                them, or a batch of the data (B, 3, S, S).
            text: the sentence; or a list of them, for one image or one for each image.
            threshold: probability strictly above which a pixel belongs to the mask.
            return_probability: return probabilities instead of masks.

        Returns:
            Mask, bool (H, W), or probabilities, float32 (H, W), at the image's own resolution; a
            list of them where image or text is a list, (B, H, W) for a batch (B, 3, H, W).

        Raises:
            ArgumentError: for an empty sentence, or another number of sentences than of images.
            DataError: for an image that cannot be read.
        """
        from risbook.systems.inference import predict

        return predict(
            self, image, text, threshold=threshold, return_probability=return_probability
        )

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Tuned parameters that `lr_multipliers` can name, by group; here none.

        Tuned parameters in no group have the learning rate of the run.
        """
        return {}

    def part_of(self, name: str, parameter: nn.Parameter) -> str:
        """The part under which reports count a parameter, by its name in the state."""
        return name.partition(".")[0].replace("_", " ")

    def dead_parameters(self) -> int:
        """Tuned parameters whose gradient is zero by construction.

        A module with such parameters counts those of its own that are tuned, by a method of this
        name. The key's bias of any attention has no effect either, since a softmax ignores what all
        keys have in common; rounding still gives it a gradient, and it is not counted.
        """
        counts = [
            int(count())
            for module in self.modules()
            if module is not self and callable(count := getattr(module, "dead_parameters", None))
        ]
        return sum(counts)

    def config_values(self) -> dict[str, Any]:
        """The configuration as plain values, for a JSON file."""
        return to_values(self.config)

    def check_saveable(self) -> None:
        """Refuse what the configuration cannot build again; here nothing.

        A checkpoint holds the configuration and the weights, and `risbook.load` builds the system
        of the configuration before it reads the weights. `save_pretrained` calls this, and so does
        `risbook.train` before its first step, by `risbook.systems.checkpoints.check_saveable`.

        Raises:
            RisbookError: names the part that the configuration cannot build.
        """

    def saved_state(self) -> dict[str, Tensor]:
        """The tensors that a checkpoint holds, by name; here the whole state."""
        return dict(self.state_dict())

    def load_saved_state(self, state: Mapping[str, Tensor]) -> None:
        """Take what `saved_state` returned.

        Raises:
            DataError: names the entry that is missing, unknown or of another shape.
        """
        current = self.state_dict()
        state = rename_old_weights(state, current, self.old_weights)
        if misfit := first_mismatch(state, current, sorted(self.required_keys())):
            raise DataError(misfit)
        ready = {name: value.to(current[name].dtype) for name, value in state.items()}
        is_meta = any(value.is_meta for value in current.values())
        if is_meta:  # tensors of a file lie at any address, and their sums differ in the last bit
            ready = {name: value.clone() for name, value in ready.items()}
        self.load_state_dict(ready, strict=False, assign=is_meta)

    def required_keys(self) -> set[str]:
        """Names that a checkpoint must hold; here all of them."""
        return set(self.state_dict())

    def weights_origins(self) -> dict[str, dict[str, Any]]:
        """Where the weights of pretrained parts come from, by part, as plain values; here none."""
        return {}
