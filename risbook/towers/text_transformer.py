"""CLIP's text tower: a transformer that reads from left to right and ends in one vector.

The blocks are those of transformers' `CLIPTextModel`; this file runs them stage by stage, cuts the
position table to the length at hand, and hands out both things that the systems use: the words as
the last norm leaves them, and the sentence, which is the word at the end token times the
projection (Radford et al., 2021, section 2.4; ETRIS and DETRIS, released code).
"""

from typing import Any

import torch
from torch import Tensor, nn

from risbook.errors import DataError
from risbook.towers.attention import fused_is_quicker
from risbook.towers.features import TextFeatures
from risbook.towers.transformer_tower import Branch, TransformerTower


class TextTransformer(TransformerTower):
    """CLIP's text tower, batch first, whose blocks can be run one group at a time.

    Prompts, if `add_prompts` gave it any, stand behind the start token: K learned vectors without
    a place in the position table, so that every word keeps its own. `embed` puts them in and
    `finish` takes them out; the states in between are K longer than the sentences, and whoever
    runs the blocks himself finds word i > 0 at place i + K (or calls `drop_prompts`).

    Args:
        vocabulary: number of ids; id 0 is padding, `end` the end token.
        width: width C of the words.
        depth: number of blocks.
        heads: attention heads.
        context: rows of the position table, the longest sentence that can be read.
        projection: width P of the space shared with an image tower.
        end: id of the end token; None for the largest one, as CLIP has it.

    Attributes:
        text: transformers' network, with its names.
        projection: (C, P).

    >>> tower = TextTransformer(vocabulary=20, width=16, depth=2, heads=2, context=12, projection=8)
    >>> features = tower(torch.tensor([[18, 5, 19, 0], [18, 7, 6, 19]]))
    >>> tuple(features.words.shape), tuple(features.sentence.shape)
    ((2, 4, 16), (2, 8))
    """

    def __init__(
        self,
        *,
        vocabulary: int,
        width: int,
        depth: int,
        heads: int,
        context: int,
        projection: int,
        end: int | None = None,
    ) -> None:
        super().__init__()
        from transformers import CLIPTextConfig, CLIPTextModel

        self.vocabulary = vocabulary
        self.width = width
        self.context = context
        self.end = vocabulary - 1 if end is None else end
        config = CLIPTextConfig(
            vocab_size=vocabulary,
            hidden_size=width,
            intermediate_size=4 * width,
            num_hidden_layers=depth,
            num_attention_heads=heads,
            max_position_embeddings=context,
            projection_dim=projection,
            hidden_act="quick_gelu",
            layer_norm_eps=1e-5,
            pad_token_id=0,
            bos_token_id=self.end - 1,
            eos_token_id=self.end,
        )
        model = CLIPTextModel(config)
        # transformers before version 5 wrap the network once more
        self.text: Any = getattr(model, "text_model", model)
        self.projection = nn.Parameter(torch.randn(width, projection) * width**-0.5)

    @property
    def blocks(self) -> nn.ModuleList:
        """The blocks; each has layer_norm1, self_attn, layer_norm2 and mlp."""
        layers: nn.ModuleList = self.text.encoder.layers
        return layers

    @property
    def before_prompts(self) -> int:
        """Tokens before the prompts: the start token."""
        return 1

    def draw_prompts(self, prompts: Tensor) -> None:
        """Fill new prompts as CoOp does (Zhou et al., 2022; released code)."""
        nn.init.normal_(prompts, std=0.02)

    def embed(self, tokens: Tensor) -> Tensor:
        """Word vectors plus the first L rows of the position table.

        Args:
            tokens: ids (B, L).

        Returns:
            (B, L, C); with K prompts (B, L + K, C).

        Raises:
            DataError: if the sentences are longer than the table, or an id is none of the
                vocabulary's.
        """
        length = tokens.shape[1]
        if length > self.context:
            raise DataError(
                f"sentences of {length} tokens: this text tower reads at most {self.context}"
            )
        # On a GPU the look at the largest id would make the processor wait at every call.
        if tokens.device.type == "cpu" and tokens.numel() and tokens.max() >= self.vocabulary:
            raise DataError(
                f"token id {int(tokens.max())}: this text tower knows {self.vocabulary} ids; "
                "were the sentences tokenised for another one?"
            )
        embedded: Tensor = self.text.embeddings(input_ids=tokens)
        return self.insert_prompts(embedded)

    def causal_mask(self, like: Tensor) -> Tensor:
        """What is added to attention scores: -inf where a word would look ahead, (1, 1, L, L)."""
        length = like.shape[1]
        ahead = torch.full((length, length), float("-inf"), device=like.device, dtype=like.dtype)
        return ahead.triu(1)[None, None]

    def run(self, states: Tensor, start: int = 0, stop: int | None = None) -> Tensor:
        """Run the blocks `start` to `stop` - 1.

        Args:
            states: (B, L, C), as `embed` or an earlier block gave them; L with the prompts.
            start: first block, counted from 0.
            stop: the block after the last; None for all that are left.

        Returns:
            (B, L, C), L with the prompts.
        """
        self.choose_attention(states)
        mask = self.causal_mask(states)
        for number in range(len(self.blocks))[start:stop]:
            states = self.renew_prompts(number, states)
            states = states + self.branch(number, "attention", states, mask)
            states = states + self.branch(number, "mlp", states)
        return states

    def branch(
        self, number: int, branch: Branch, states: Tensor, mask: Tensor | None = None
    ) -> Tensor:
        """What one of a block's two branches adds to the states, its adapter included.

        Args:
            number: number of the block, from 0.
            branch: "attention" or "mlp".
            states: (B, L, C), as they come to this branch; L with the prompts.
            mask: what `causal_mask` gives for them, so that it is made once for all blocks; None
                to make it here.

        Returns:
            (B, L, C).
        """
        block: Any = self.blocks[number]
        if branch == "attention":
            out = self.attend(block, states, self.causal_mask(states) if mask is None else mask)
        else:
            out = block.mlp(block.layer_norm2(states))
        return self.adapted(number, branch, states, out)

    @staticmethod
    def attend(block: Any, states: Tensor, mask: Tensor) -> Tensor:
        """The frozen attention branch of one block: what is added to `states` first."""
        normed = block.layer_norm1(states)
        attended: Tensor = block.self_attn(normed, attention_mask=mask.to(normed.dtype))[0]
        return attended

    def choose_attention(self, states: Tensor) -> None:
        """Set the form of attention that is the quicker one for this computation."""
        form = "sdpa" if fused_is_quicker(states) else "eager"
        if self.text.config._attn_implementation != form:
            self.text.config._attn_implementation = form

    def finish(self, states: Tensor, tokens: Tensor) -> TextFeatures:
        """The last norm and the sentence.

        Args:
            states: (B, L, C) after the last block; with K prompts (B, L + K, C).
            tokens: the ids (B, L) that they came from.

        Returns:
            Words (B, L, C), not projected; sentence (B, P); padding (B, L), true where the id is 0.

        Raises:
            DataError: if a sentence has no end token (looked at on the CPU only).
        """
        words = self.text.final_layer_norm(self.drop_prompts(states))
        ends = tokens == self.end
        if tokens.device.type == "cpu" and not bool(ends.any(dim=1).all()):
            raise DataError(
                f"a sentence without the end token, id {self.end}: this text tower reads its "
                "sentence vector there; were the sentences tokenised for another one?"
            )
        last = ends.int().argmax(dim=1)
        sentence = words[torch.arange(len(words), device=words.device), last] @ self.projection
        return TextFeatures(words=words, sentence=sentence, padding=tokens == 0)

    def forward(self, tokens: Tensor, *, record: dict[str, Tensor] | None = None) -> TextFeatures:
        """Run the tower.

        Args:
            tokens: ids (B, L), each row with an end token, 0 where padded.
            record: filled with "embedded" and "last" (states before and after the blocks, with
                the prompts).

        Returns:
            Words, sentence and padding, see `finish`.
        """
        embedded = self.embed(tokens)
        states = self.run(embedded)
        if record is not None:
            record["embedded"] = embedded
            record["last"] = states
        return self.finish(states, tokens)
