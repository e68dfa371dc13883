"""CLIP's text tower: a causal transformer whose sentence embedding lies at the end token.

The blocks are those of transformers' `CLIPTextModel`; this file runs them group by group, cuts the
position embeddings to the length at hand, and returns both things that the systems use: the text
tokens after the last norm, and the sentence embedding, which is the token at the end token's place
times the projection (Radford et al., 2021, section 2.4; the released repositories of ETRIS, Xu et
al., 2023, and DETRIS, Huang et al., 2025).
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from risbook.errors import ArgumentError, DataError
from risbook.intermediates import NO_INTERMEDIATES, Intermediates
from risbook.layers.quick_gelu import QuickGELU
from risbook.tokenizers.sentence_tokenizer import padding_mask
from risbook.towers.features import TextFeatures
from risbook.towers.sites import Branch
from risbook.towers.stages import StageContext, StagedTextTower
from risbook.towers.transformer_tower import BranchLayers, TransformerTower


class TextTransformer(TransformerTower, StagedTextTower):
    """CLIP's text tower, batch first, whose blocks run one group at a time.

    Prompts, if `add_prompts` added any, stand after the start token: K learned vectors without a
    position embedding, so that every word keeps its own. `embed` puts them in, `final_features`
    takes them out; in between, the token of word i > 0 is at position i + K.

    Args:
        vocab_size: number of token ids; id 0 is padding.
        embed_dim: T, channels of the tokens.
        depth: number of blocks.
        num_heads: attention heads.
        context_length: largest number of tokens, that of the position embeddings.
        output_dim: P, channels of the space shared with an image tower.
        end_id: id of the end token; None for the largest one, as CLIP has it.
        out_indices: last block of each stage, counted from 0; None for three stages of equal
            depth, as in ETRIS.

    Attributes:
        text: transformers' network, with its names.
        projection: (T, P).

    >>> tower = TextTransformer(vocab_size=20, embed_dim=16, depth=2, num_heads=2,
    ...                         context_length=12, output_dim=8)
    >>> features = tower(torch.tensor([[18, 5, 19, 0], [18, 7, 6, 19]]))
    >>> tuple(features.text_tokens.shape), tuple(features.sentence_embedding.shape)
    ((2, 4, 16), (2, 8))
    """

    lora_targets = r"text\.encoder\.layers\.\d+\.self_attn\.(q|k|v|out)_proj"

    def __init__(
        self,
        *,
        vocab_size: int,
        embed_dim: int,
        depth: int,
        num_heads: int,
        context_length: int,
        output_dim: int,
        end_id: int | None = None,
        out_indices: Sequence[int] | None = None,
    ) -> None:
        super().__init__(embed_dim=embed_dim, depth=depth, out_indices=out_indices)
        from transformers import CLIPTextConfig, CLIPTextModel

        self.vocab_size = vocab_size
        self.context_length = context_length
        self.end_id = vocab_size - 1 if end_id is None else end_id
        config = CLIPTextConfig(
            vocab_size=vocab_size,
            hidden_size=embed_dim,
            intermediate_size=4 * embed_dim,
            num_hidden_layers=depth,
            num_attention_heads=num_heads,
            max_position_embeddings=context_length,
            projection_dim=output_dim,
            hidden_act="quick_gelu",
            layer_norm_eps=1e-5,
            pad_token_id=0,
            bos_token_id=self.end_id - 1,
            eos_token_id=self.end_id,
        )
        self.text: Any = CLIPTextModel(config)
        for block in self.blocks:
            block.get_submodule("mlp").activation_fn = QuickGELU()
        self.projection = nn.Parameter(torch.randn(embed_dim, output_dim) * embed_dim**-0.5)

    @property
    def blocks(self) -> nn.ModuleList:
        """The blocks; each has layer_norm1, self_attn, layer_norm2 and mlp."""
        layers: nn.ModuleList = self.text.encoder.layers
        return layers

    @property
    def num_prefix_tokens(self) -> int:
        """Tokens in front of the prompts: the start token."""
        return 1

    @property
    def output_dim(self) -> int:
        """P, channels of the sentence embedding."""
        return self.projection.shape[1]

    @property
    def pos_embed(self) -> nn.Parameter:
        """The learned position embeddings, (context_length, T)."""
        pos_embed: nn.Parameter = self.text.embeddings.position_embedding.weight
        return pos_embed

    def embed(self, token_ids: Tensor) -> Tensor:
        """Token embeddings plus the first L position embeddings.

        Args:
            token_ids: (B, L).

        Returns:
            (B, L, T); with K prompts (B, L + K, T).

        Raises:
            ArgumentError: for sentences that are not tokenised.
            DataError: if a sentence is too long, or an id is not in the vocabulary.
        """
        if not isinstance(token_ids, Tensor):
            raise ArgumentError(
                "a text tower reads token ids, not sentences; tokenise them first: "
                "risbook.towers.tokenizer_of(NAME_OF_THE_TOWER)(sentences)"
            )
        length = token_ids.shape[1]
        if length > self.context_length:
            raise DataError(
                f"sentences of {length} tokens: this text tower reads at most {self.context_length}"
            )
        if token_ids.numel() and _values_are_at_hand(token_ids):
            smallest, largest = int(token_ids.min()), int(token_ids.max())
            if largest >= self.vocab_size or smallest < 0:
                wrong = smallest if smallest < 0 else largest
                raise DataError(
                    f"token id {wrong}: this text tower knows {self.vocab_size} ids, from 0; "
                    "were the sentences tokenised for another one?"
                )
        embedded: Tensor = self.text.embeddings(input_ids=token_ids)
        return self.insert_prompts(embedded)

    def begin_stages(
        self, inputs: Tensor, *, intermediates: Intermediates = NO_INTERMEDIATES
    ) -> Tensor:
        """Embed token ids (B, L); records the tokens, prompts included, as "embedded"."""
        tokens = intermediates["embedded"] = self.embed(inputs)
        return tokens

    def run_stage(
        self,
        stage: int,
        state: Tensor,
        *,
        context: StageContext | None = None,
        intermediates: Intermediates = NO_INTERMEDIATES,
    ) -> Tensor:
        """Run the blocks of a stage, counted from 1, on tokens (B, L, T)."""
        tokens = self.run_stage_blocks(stage, state, context=context, intermediates=intermediates)
        intermediates.sub("stages")[str(stage)] = tokens
        return tokens

    def init_buffers(self) -> None:
        """Number the positions, which transformers keeps in a buffer that is no weight."""
        super().init_buffers()
        embeddings = self.text.embeddings
        if embeddings.position_ids.is_meta:
            embeddings.position_ids = torch.arange(self.context_length)[None]

    def key_padding_mask(self, token_ids: Tensor) -> Tensor:
        """Ids (B, L) to bool (B, L), true where a token of `embed` is padding.

        With K prompts (B, L + K); a prompt is no padding.
        """
        padding = padding_mask(token_ids)
        prompts = padding.new_zeros(len(padding), self.num_prompts)
        prefix = self.num_prefix_tokens
        return torch.cat([padding[:, :prefix], prompts, padding[:, prefix:]], dim=1)

    def branch_layers(self, block: int, branch: Branch) -> BranchLayers:
        """Norm, layer and scale (none) of a branch; attention gets the causal mask."""
        layers: Any = self.blocks[block]
        if branch == "mlp":
            return layers.layer_norm2, layers.mlp, _identity

        def attend(normed: Tensor) -> Tensor:
            mask = causal_mask(normed.shape[1], normed.device, normed.dtype)
            attended: Tensor = layers.self_attn(normed, attention_mask=mask)[0]
            return attended

        return layers.layer_norm1, attend, _identity

    def set_fused_attention(self, fused: bool) -> None:
        """Choose transformers' fused implementation of attention, or its plain one."""
        self.text.config._attn_implementation = "sdpa" if fused else "eager"

    def init_prompts(self, prompts: Tensor) -> None:
        """Fill new prompts as CoOp does (Zhou et al., 2022; released code)."""
        nn.init.normal_(prompts, std=0.02)

    def final_features(
        self,
        state: Tensor,
        token_ids: Tensor,
        *,
        context: StageContext | None = None,
        intermediates: Intermediates = NO_INTERMEDIATES,
    ) -> TextFeatures:
        """The blocks of no stage, the last norm, and the sentence embedding.

        Raises:
            DataError: if a sentence has no end token (checked on the CPU only).
        """
        state = self.run_last_blocks(state, context=context, intermediates=intermediates)
        text_tokens = self.text.final_layer_norm(self.drop_prompts(state))
        intermediates["final"] = text_tokens
        is_end = token_ids == self.end_id
        if _values_are_at_hand(token_ids) and not bool(is_end.any(dim=1).all()):
            raise DataError(
                f"a sentence without the end token, id {self.end_id}: this text tower reads its "
                "sentence embedding there; were the sentences tokenised for another one?"
            )
        rows = torch.arange(len(text_tokens), device=text_tokens.device)
        sentence_embedding = text_tokens[rows, is_end.int().argmax(dim=1)] @ self.projection
        return TextFeatures(
            text_tokens=text_tokens,
            sentence_embedding=sentence_embedding,
            key_padding_mask=padding_mask(token_ids),
        )


def _values_are_at_hand(token_ids: Tensor) -> bool:
    # On a GPU a look at the values would make the processor wait at every call, and while a graph
    # is exported there are none.
    return token_ids.device.type == "cpu" and not torch.compiler.is_exporting()


def _identity(out: Tensor) -> Tensor:
    return out  # CLIP has no LayerScale


@lru_cache(maxsize=16)
def causal_mask(length: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """The mask added to attention scores: -inf for tokens that come later, (1, 1, L, L)."""
    with torch.inference_mode(False):
        later = torch.full((length, length), float("-inf"), device=device, dtype=dtype)
        return later.triu(1)[None, None]
