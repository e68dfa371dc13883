"""The first model: two networks trained from nothing, fused by concatenation.

Nothing is pretrained and nothing is frozen, so whatever it can do it learned from the
expressions and masks alone. Every later system is compared with it.
"""

from dataclasses import asdict, dataclass

from torch import Tensor

from risbook.decoder.concatenation import ConcatenationDecoder
from risbook.errors import RisbookError
from risbook.systems.system import System
from risbook.towers.convolutional import ConvolutionalTower
from risbook.towers.recurrent import RecurrentTower
from risbook.towers.word_tokenizer import WordTokenizer


@dataclass(frozen=True)
class FirstModelConfig:
    """Sizes of the first model.

    Args:
        image_size: side S of the letterboxed input in pixels, divisible by 16.
        word_length: words read of an expression; longer ones are cut.
        widths: channels of the image network's stem and three stages.
        blocks: basic blocks a stage.
        word_width: width of a word vector.
        text_width: width of the sentence vector.
        decoder_width: width of the fused map.
    """

    image_size: int = 96
    word_length: int = 20
    widths: tuple[int, int, int, int] = (24, 48, 96, 160)
    blocks: int = 2
    word_width: int = 96
    text_width: int = 192
    decoder_width: int = 96

    def __post_init__(self) -> None:
        widths = self.widths if isinstance(self.widths, tuple) else ()
        sizes = {name: value for name, value in asdict(self).items() if name != "widths"}
        for name, value in {**sizes, **{f"widths[{i}]": w for i, w in enumerate(widths)}}.items():
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise RisbookError(f"{name} is {value!r}; it must be a whole number from 1 on")
        if len(widths) != 4:
            raise RisbookError(f"widths is {self.widths!r}; it must be four whole numbers")
        if self.image_size % 16 or self.image_size < 32:
            raise RisbookError(f"image_size is {self.image_size}; choose a multiple of 16 from 32")
        if self.text_width % 2 or self.decoder_width % 4:
            raise RisbookError("text_width must be even, and decoder_width a multiple of 4")


class FirstModel(System):
    """Convolutions read the image, a GRU reads the sentence, concatenation joins them.

    Args:
        config: the sizes.
        tokenizer: word tokenizer; its vocabulary decides the size of the embedding.
    """

    config: FirstModelConfig

    def __init__(self, *, config: FirstModelConfig, tokenizer: WordTokenizer) -> None:
        super().__init__(name="first-model", image_size=config.image_size, tokenizer=tokenizer)
        self.config = config
        self.image_tower = ConvolutionalTower(widths=config.widths, blocks=config.blocks)
        self.text_tower = RecurrentTower(
            vocabulary=tokenizer.vocabulary_size,
            word_width=config.word_width,
            width=config.text_width,
        )
        self.decoder = ConcatenationDecoder(
            image_channels=self.image_tower.channels,
            text_width=config.text_width,
            width=config.decoder_width,
        )

    def forward(
        self, image: Tensor, tokens: Tensor, *, record: dict[str, Tensor] | None = None
    ) -> Tensor:
        """Segment what the sentences mean.

        Args:
            image: letterboxed and normalised (B, 3, S, S).
            tokens: word ids (B, L).
            record: an optional dict that is filled with the decoder's intermediates.

        Returns:
            Logits (B, 1, S / 2, S / 2).
        """
        seen = self.image_tower(image)
        read = self.text_tower(tokens)
        logits: Tensor = self.decoder(seen, read, record=record)
        return logits
