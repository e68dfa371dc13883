"""The first model: two networks trained from scratch, fused by concatenation.

Nothing is pretrained and nothing is frozen: what it knows comes from the expressions and masks
alone. Every later system is compared with it.
"""

from typing import Annotated

from pydantic import Field
from torch import Tensor

from risbook.config import Depth, Size, configuration
from risbook.decoder.concatenation import ConcatenationDecoder
from risbook.intermediates import NO_INTERMEDIATES, Intermediates
from risbook.systems.old_checkpoints import OLD_FIRST_MODEL_WEIGHTS
from risbook.systems.system import System
from risbook.systems.system_preset import NO_INPUTS, BuildInputs
from risbook.tokenizers.word_tokenizer import WordTokenizer
from risbook.towers.convolutional import ConvolutionalTower
from risbook.towers.features import TextFeatures
from risbook.towers.recurrent import RecurrentTower


@configuration
class FirstModelConfig:
    """Sizes of the first model.

    Args:
        image_size: side S of the letterboxed input, pixels; divisible by 16.
        max_tokens: words per sentence; longer sentences are cut.
        map_dims: channels of the image network's stem and three stages.
        blocks: basic blocks per stage.
        word_dim: channels of a word vector.
        text_dim: channels of the sentence embedding, even.
        decoder_dim: channels of the fused map, divisible by 4.
    """

    image_size: Annotated[int, Field(ge=32, le=65536, multiple_of=16)] = 96
    max_tokens: Size = 20
    map_dims: tuple[Size, Size, Size, Size] = (24, 48, 96, 160)
    blocks: Annotated[Depth, Field(ge=1)] = 2
    word_dim: Size = 96
    text_dim: Annotated[Size, Field(multiple_of=2)] = 192
    decoder_dim: Annotated[Size, Field(multiple_of=4)] = 96


class FirstModel(System):
    """A convolutional image tower, a recurrent text tower, and fusion by concatenation.

    Args:
        config: the sizes.
        tokenizer: word tokenizer; its vocabulary decides the size of the embedding.
    """

    config: FirstModelConfig
    shares_images = True
    old_weights = OLD_FIRST_MODEL_WEIGHTS

    def __init__(self, *, config: FirstModelConfig, tokenizer: WordTokenizer) -> None:
        super().__init__(
            config, name="first-model", image_size=config.image_size, tokenizer=tokenizer
        )
        self.image_tower = ConvolutionalTower(map_dims=config.map_dims, blocks=config.blocks)
        self.text_tower = RecurrentTower(
            vocab_size=tokenizer.vocab_size,
            word_dim=config.word_dim,
            embed_dim=config.text_dim,
        )
        self.decoder = ConcatenationDecoder(
            map_dims=self.image_tower.map_dims,
            sentence_dim=self.text_tower.output_dim,
            dim=config.decoder_dim,
        )

    def encode_text(self, token_ids: Tensor) -> TextFeatures:
        """Run the text tower on token ids (B, L)."""
        features: TextFeatures = self.text_tower(token_ids)
        return features

    def forward(
        self,
        images: Tensor,
        token_ids: Tensor | TextFeatures,
        *,
        image_index: Tensor | None = None,
        intermediates: Intermediates = NO_INTERMEDIATES,
    ) -> Tensor:
        """Mask logits.

        Args:
            images: letterboxed and normalised (B, 3, S, S).
            token_ids: (B, L), or what `encode_text` made of them.
            image_index: the image of each sentence where there are fewer images, see
                `System.__call__`.
            intermediates: gets, below "decoder", the intermediates of the decoder.

        Returns:
            (B, 1, S / 2, S / 2).
        """
        maps = self.image_tower(images).maps
        if image_index is not None:
            maps = tuple(feature_map[image_index] for feature_map in maps)
        if isinstance(token_ids, TextFeatures):
            text_features = token_ids
        else:
            text_features = self.encode_text(token_ids)
        logits: Tensor = self.decoder(
            maps, text_features, intermediates=intermediates.sub("decoder")
        )
        return logits


def build_first_model(config: FirstModelConfig, inputs: BuildInputs = NO_INPUTS) -> FirstModel:
    """Build the first model.

    Args:
        config: the sizes.
        inputs: the training expressions, from which the vocabulary is made, or a checkpoint, whose
            vocabulary is read instead.
    """
    if inputs.folder is not None:
        path = inputs.folder / "tokenizer.json"
        tokenizer = WordTokenizer.from_file(path, length=config.max_tokens)
    else:
        tokenizer = WordTokenizer.from_sentences(inputs.sentences, length=config.max_tokens)
    return FirstModel(config=config, tokenizer=tokenizer)
