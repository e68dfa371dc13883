"""The Bridger: a narrow bridge between two frozen towers, after some of their stages.

ETRIS (Xu et al., 2023), section 3.2 and released code. After each stage the feature map F_v and the
text tokens F_t are reduced to few channels (a Zoom Layer, a linear layer), interact, are brought
back, and are added to what the towers continue with:

$$F_v' = F_v + Z_{out}(I_v(f_v, f_t)) \\qquad F_t' = F_t + W_{out}\\, I_t(f_t, f_v)$$

with $f_v$ and $f_t$ the reduced tokens, to which those of the previous Bridger are added, then
normed. In the paper's figure that is the *output* of the previous interactors; in the released
code it is their *input*, which is the default here (`link`).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from einops import rearrange
from pydantic import Field
from torch import Tensor, nn

from risbook.adapters.interactor import Interactor, InteractorT, init_linear
from risbook.adapters.zoom_layer import Zoom, ZoomLayer
from risbook.config import Probability, Size, configuration
from risbook.errors import ArgumentError
from risbook.intermediates import NO_INTERMEDIATES, Intermediates
from risbook.layers.attention import check_num_heads
from risbook.towers.stages import Architecture

InteractorKind = Literal["auto", "full", "product"]
Link = Literal["inputs", "outputs", "none"]


@configuration
class BridgerConfig:
    """Sizes and choices of the Bridgers.

    Args:
        stages: stages with a Bridger, counted from 1.
        dim: D, the common dimension of image and text.
        num_heads: heads of the interactors, which divide D; released are 4 with a ResNet and 8
            with a transformer.
        ffn_dim: channels inside the feed-forward layer of full interactors.
        interactor: "full" for `Interactor`, which the paper describes; "product" for
            `InteractorT`; or "auto": full with a ResNet, a product with a transformer.
        zoom: form of the Zoom Layers, see `ZoomLayer`.
        link: what a Bridger hands to the next one.
        mask_padding: whether padding is masked; in the released code it takes part.
        dropout: of full interactors, see `Interactor`.
    """

    #: values of a system without Bridgers, ``bridger=None``
    without: ClassVar[Mapping[str, Any]] = {"stages": []}

    stages: Annotated[tuple[int, ...], Field(examples=[[1, 2, 3]])] = (1, 2, 3)
    dim: Size = 64
    num_heads: Size = 4
    ffn_dim: Size = 128
    interactor: InteractorKind = "auto"
    zoom: Zoom = "deconv"
    link: Link = "inputs"
    mask_padding: bool = False
    dropout: Probability = 0.1

    def __post_init__(self) -> None:
        check_num_heads(self.num_heads, self.dim)


class BridgerTokens(NamedTuple):
    """Tokens of both modalities at the common dimension D.

    Args:
        image_tokens: (B, N, D).
        text_tokens: (B, L, D).
    """

    image_tokens: Tensor
    text_tokens: Tensor


@dataclass(frozen=True, slots=True)
class BridgerOutput:
    """The output of one Bridger: what both towers continue with, the terms added, the tokens.

    It unpacks into map and text tokens: ``feature_map, text_tokens = bridger(...)``.

    Args:
        feature_map: the map with the term that is added, in the shape in which it came.
        text_tokens: the text tokens with the term that is added, (B, L, T).
        image_delta: the term added to the map, in its shape.
        text_delta: the term added to the text tokens, (B, L, T).
        inputs: reduced tokens before the interactors. The next Bridger gets `inputs` or `outputs`;
            `BridgerConfig.link` chooses.
        outputs: reduced tokens after the interactors.
    """

    feature_map: Tensor
    text_tokens: Tensor
    image_delta: Tensor
    text_delta: Tensor
    inputs: BridgerTokens
    outputs: BridgerTokens

    def __iter__(self) -> Iterator[Tensor]:
        yield from (self.feature_map, self.text_tokens)


class Bridger(nn.Module):
    """One Bridger, usable between any two towers: maps (B, C, h, w) or image tokens (B, N, C).

    >>> import torch
    >>> bridger = Bridger(image_dim=32, text_dim=16)
    >>> feature_map, text_tokens = bridger(torch.zeros(2, 32, 7, 7), torch.zeros(2, 5, 16))
    >>> feature_map.shape, text_tokens.shape
    (torch.Size([2, 32, 7, 7]), torch.Size([2, 5, 16]))

    Args:
        image_dim: C, channels of the feature map.
        text_dim: T, channels of the text tokens.
        config: sizes and choices; None for the defaults, which are those of the released RN50.
        architecture: of the image tower. "resnet": `Interactor` and plain Zoom Layers; "vit":
            `InteractorT` and Zoom Layers with batch norm and ReLU. The configuration may choose
            the interactor itself.
        factor: side of the reduced map divided by the side of the map.
        map_size: H = W of the map, for zooms with weights per position.
        linked: whether the tokens of a previous Bridger are added.
        transposed: which of the two Zoom Layers is a transposed convolution where the factor is 1,
            the one that goes "in" or "out"; see `ZoomLayer`. In the released code that is the first
            one after the last stage and the second one before.
    """

    def __init__(
        self,
        *,
        image_dim: int,
        text_dim: int,
        config: BridgerConfig | None = None,
        architecture: Architecture = "resnet",
        factor: float = 1.0,
        map_size: int | None = None,
        linked: bool = False,
        transposed: Literal["in", "out"] = "out",
    ) -> None:
        super().__init__()
        config = config or BridgerConfig()
        self.factor = factor
        dim, num_heads = config.dim, config.num_heads
        norm_relu = architecture == "vit"
        reduced_size = None if map_size is None else round(map_size * factor)
        self.zoom_in = ZoomLayer(
            image_dim,
            dim,
            factor=factor,
            zoom=config.zoom,
            norm_relu=norm_relu,
            transpose=transposed == "in",
            map_size=map_size,
        )
        self.zoom_out = ZoomLayer(
            dim,
            image_dim,
            factor=1 / factor,
            zoom=config.zoom,
            norm_relu=norm_relu,
            transpose=transposed == "out",
            map_size=reduced_size,
        )
        self.text_in = nn.Linear(text_dim, dim)
        self.text_out = nn.Linear(dim, text_dim)
        init_linear(self.text_in)
        init_linear(self.text_out)
        is_full = config.interactor == "full" or (
            config.interactor == "auto" and architecture == "resnet"
        )
        self.image_interactor, self.text_interactor = (
            Interactor(dim, num_heads, ffn_dim=config.ffn_dim, dropout=config.dropout)
            if is_full
            else InteractorT(dim, num_heads)
            for _ in range(2)
        )
        self.image_norm = nn.LayerNorm(dim) if linked else None
        self.text_norm = nn.LayerNorm(dim) if linked else None

    def forward(
        self,
        feature_map: Tensor,
        text_tokens: Tensor,
        previous: BridgerTokens | None = None,
        *,
        key_padding_mask: Tensor | None = None,
        intermediates: Intermediates = NO_INTERMEDIATES,
    ) -> BridgerOutput:
        """The interaction of one stage.

        Args:
            feature_map: (B, C, h, w), or tokens (B, N, C) where the factor is 1.
            text_tokens: (B, L, T).
            previous: tokens of the previous Bridger, (B, N, D) and (B, L, D), for a Bridger that
                is `linked`. Without them, as after a disabled Bridger, it interacts as the first
                one does: nothing is added, and its norms are skipped.
            key_padding_mask: bool (B, L), true for padding; None lets padding take part, as
                released.
            intermediates: gets "reduced" and "fused", the reduced map before and after the
                interactor, both (B, D, h, w); "image.attn" of positions on text tokens, (B, heads,
                h w, L); and "text.attn" of text tokens on positions, (B, heads, L, h w).

        Raises:
            ArgumentError: if the Bridger is not linked and gets `previous`, if the previous Bridger
                works on another grid, for image tokens where the factor is not 1, or for a map with
                an odd side where the factor is 1 / 2.
        """
        if feature_map.ndim == 3:  # a map of one column: 1x1 zooms do not mix positions
            if self.factor != 1:
                raise ArgumentError(
                    f"image tokens (B, N, C) have no grid, which a Bridger of factor {self.factor} "
                    "needs: give a map (B, C, h, w), or build the Bridger with factor=1"
                )
            column: BridgerOutput = self(
                rearrange(feature_map, "b n c -> b c n 1"),
                text_tokens,
                previous,
                key_padding_mask=key_padding_mask,
                intermediates=intermediates,
            )
            return replace(
                column,
                feature_map=rearrange(column.feature_map, "b c n 1 -> b n c"),
                image_delta=rearrange(column.image_delta, "b c n 1 -> b n c"),
            )
        reduced = self.zoom_in(feature_map)
        height = reduced.shape[-2]
        image_tokens = rearrange(reduced, "b d h w -> b (h w) d")
        reduced_text = self.text_in(text_tokens)
        if previous is not None:
            if self.image_norm is None or self.text_norm is None:
                raise ArgumentError(
                    "this Bridger takes no tokens of a previous one: build it with linked=True"
                )
            if previous.image_tokens.shape != image_tokens.shape:
                raise ArgumentError(
                    f"Bridgers interact at {image_tokens.shape[1]} and at "
                    f"{previous.image_tokens.shape[1]} positions; choose zoom factors (or an image "
                    "size) that agree"
                )
            image_tokens = self.image_norm(image_tokens + previous.image_tokens)
            reduced_text = self.text_norm(reduced_text + previous.text_tokens)
        image_fused = self.image_interactor(
            image_tokens,
            reduced_text,
            memory_padding_mask=key_padding_mask,
            intermediates=intermediates.sub("image"),
        )
        text_fused = self.text_interactor(
            reduced_text,
            image_tokens,
            query_padding_mask=key_padding_mask,
            intermediates=intermediates.sub("text"),
        )
        fused = rearrange(image_fused, "b (h w) d -> b d h w", h=height)
        intermediates["reduced"] = rearrange(image_tokens, "b (h w) d -> b d h w", h=height)
        intermediates["fused"] = fused
        image_delta, text_delta = self.zoom_out(fused), self.text_out(text_fused)
        if image_delta.shape != feature_map.shape:
            sides = [" x ".join(map(str, x.shape[-2:])) for x in (feature_map, image_delta)]
            raise ArgumentError(
                f"a map of {sides[0]} positions comes back from the Zoom Layers as {sides[1]}: "
                f"choose an image size whose map can be divided by {round(1 / self.factor)}"
            )
        return BridgerOutput(
            feature_map=feature_map + image_delta,
            text_tokens=text_tokens + text_delta,
            image_delta=image_delta,
            text_delta=text_delta,
            inputs=BridgerTokens(image_tokens, reduced_text),
            outputs=BridgerTokens(image_fused, text_fused),
        )


class Bridgers(nn.Module):
    """One Bridger per stage: map (B, C, h, w) and text tokens (B, L, T) to the same shapes.

    The system calls it after every stage, and both towers go on with what it returns.

    Args:
        config: sizes and choices. ETRIS has a Bridger after all three stages; the paper's Table 4
            has other choices; the released code knows only the last few (its `multi_stage`).
        stage_dims: channels of the map after each of the tower's stages.
        factors: zoom factor of each stage.
        text_dim: T, channels of the text tokens.
        architecture: of the image tower.
        map_sizes: H = W of the stages' maps, for zooms with weights per position.

    Raises:
        ArgumentError: if the tower has no such stage.
    """

    def __init__(
        self,
        config: BridgerConfig,
        *,
        stage_dims: Sequence[int],
        factors: Sequence[float],
        text_dim: int,
        architecture: Architecture,
        map_sizes: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        count = len(stage_dims)
        if unknown := set(config.stages) - set(range(1, count + 1)):
            raise ArgumentError(
                f"no stage {min(unknown)}: Bridgers can stand after stages 1 to {count}"
            )
        self.link = config.link
        self.mask_padding = config.mask_padding
        self.disabled: frozenset[int] = frozenset()
        self.stages = nn.ModuleDict()
        sizes: Sequence[int | None] = map_sizes or [None] * count
        maps = zip(stage_dims, factors, sizes, strict=True)
        for stage, (image_dim, factor, map_size) in enumerate(maps, start=1):
            if stage not in config.stages:
                continue
            self.stages[str(stage)] = Bridger(
                image_dim=image_dim,
                text_dim=text_dim,
                config=config,
                architecture=architecture,
                factor=factor,
                map_size=map_size,
                linked=config.link != "none" and len(self.stages) > 0,
                transposed="in" if stage == count else "out",
            )

    def disable(self, stages: Iterable[int] | None = None) -> None:
        """Leave out the Bridgers of these stages alone, counted from 1, or of all.

        Each call takes the place of the last one; `enable` uses all Bridgers again.
        """
        wanted = frozenset(map(int, self.stages)) if stages is None else frozenset(stages)
        if unknown := sorted(stage for stage in wanted if str(stage) not in self.stages):
            raise ArgumentError(
                f"there is no Bridger after stage {unknown[0]}; they are after stages "
                f"{', '.join(self.stages)}"
            )
        self.disabled = wanted

    def enable(self) -> None:
        """Use all Bridgers again."""
        self.disabled = frozenset()

    def forward(
        self,
        stage: int,
        feature_map: Tensor,
        text_tokens: Tensor,
        previous: BridgerTokens | None = None,
        *,
        key_padding_mask: Tensor | None = None,
        intermediates: Intermediates = NO_INTERMEDIATES,
    ) -> tuple[Tensor, Tensor, BridgerTokens | None]:
        """Bridge after a stage, if it has a Bridger that is not disabled.

        Args:
            stage: counted from 1.
            feature_map: the stage's map (B, C, h, w).
            text_tokens: after the same stage of the text tower (B, L, T).
            previous: tokens of the previous Bridger, which the call for its stage returned; None
                for the first stage.
            key_padding_mask: bool (B, L), true for padding; read only with `mask_padding`.
            intermediates: gets those of each `Bridger` below the stage's number.

        Returns:
            Map and text tokens with what the interaction adds, and the tokens for the next Bridger.
        """
        if str(stage) not in self.stages or stage in self.disabled:
            return feature_map, text_tokens, previous
        if not self.mask_padding:
            key_padding_mask = None
        out: BridgerOutput = self.stages[str(stage)](
            feature_map,
            text_tokens,
            previous,
            key_padding_mask=key_padding_mask,
            intermediates=intermediates.sub(str(stage)),
        )
        handed_on = {"inputs": out.inputs, "outputs": out.outputs, "none": None}
        return out.feature_map, out.text_tokens, handed_on[self.link]
