"""The Bridger: a narrow bridge between two frozen towers, at a few of their stages.

ETRIS (Xu et al., 2023), section 3.2 and released code. At each stage the image map and the words
are brought to one small width (a Zoom Layer, a linear layer), meet in two interactors, are brought
back, and are added to what the towers carry on with:

$$F_v' = F_v + Z_{out}(I_v(f_v, f_t)) \\qquad F_t' = F_t + W_{out}\\, I_t(f_t, f_v)$$

with $f_v$ and $f_t$ the reduced tokens, to which the previous Bridger's are added and normed. The
paper's figure hands on what came *out* of the previous interactors; the released code hands on
what went *in*, and so does this one unless it is told otherwise.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from einops import rearrange
from torch import Tensor, nn

from risbook.adapters.interactor import Interactor, InteractorT
from risbook.adapters.zoom_layer import ZoomKind, zoom_layer
from risbook.errors import RisbookError

BridgerKind = Literal["resnet", "vit"]
InteractorKind = Literal["auto", "full", "product"]
Link = Literal["inputs", "outputs", "none"]


@dataclass(frozen=True, slots=True)
class Pair:
    """Picture and words at the common width.

    Args:
        image: (B, N, D).
        words: (B, L, D).
    """

    image: Tensor
    words: Tensor


class Bridger(nn.Module):
    """One Bridger: picture and words of one stage meet.

    Args:
        channels: channels C of the stage's map.
        text_width: width T of the words.
        width: the common width D.
        heads: heads of the interactors.
        kind: "resnet" for `Interactor` and bare Zoom Layers, "vit" for `InteractorT` and Zoom
            Layers with batch norm and ReLU.
        interactor: "full" for `Interactor`, which the paper describes for either kind, "product"
            for `InteractorT`, "auto" for the released choice.
        factor: what the Zoom Layer multiplies the sides of the map with.
        zoom: kind of the Zoom Layers.
        side: side H = W of the stage's map, for zooms that have to know it.
        hidden: width of a full interactor's feed-forward layer.
        dropout: of a full interactor.
        linked: whether the tokens of a previous Bridger are added.
        last: whether it is the last stage of the tower; the released code keeps the weights of
            1x1 zooms the other way round there.
    """

    def __init__(
        self,
        *,
        channels: int,
        text_width: int,
        width: int = 64,
        heads: int = 4,
        kind: BridgerKind = "resnet",
        interactor: InteractorKind = "auto",
        factor: float = 1.0,
        zoom: ZoomKind = "deconv",
        side: int | None = None,
        hidden: int = 128,
        dropout: float = 0.1,
        linked: bool = False,
        last: bool = False,
    ) -> None:
        super().__init__()
        norm = kind == "vit"
        meeting = None if side is None else round(side * factor)
        self.zoom_in = zoom_layer(
            channels, width, factor=factor, kind=zoom, norm=norm, transpose=last, side=side
        )
        self.zoom_out = zoom_layer(
            width,
            channels,
            factor=1 / factor,
            kind=zoom,
            norm=norm,
            transpose=not last,
            side=meeting,
        )
        self.text_in = nn.Linear(text_width, width)
        self.text_out = nn.Linear(width, text_width)
        for layer in (self.text_in, self.text_out):
            nn.init.normal_(layer.weight, std=0.02)
            nn.init.zeros_(layer.bias)
        full = interactor == "full" or (interactor == "auto" and kind == "resnet")
        self.image_interactor, self.text_interactor = (
            Interactor(width, heads, hidden=hidden, dropout=dropout)
            if full
            else InteractorT(width, heads)
            for _ in range(2)
        )
        self.image_norm = nn.LayerNorm(width) if linked else None
        self.text_norm = nn.LayerNorm(width) if linked else None

    def forward(
        self,
        image: Tensor,
        words: Tensor,
        previous: Pair | None = None,
        *,
        padding: Tensor | None = None,
        record: dict[str, Tensor] | None = None,
    ) -> tuple[Tensor, Tensor, Pair, Pair]:
        """Let picture and words meet.

        Args:
            image: map of the stage (B, C, H, W).
            words: (B, L, T).
            previous: what the previous Bridger handed on.
            padding: bool (B, L), true at tokens that nobody looks at; None for nobody's, as
                released.
            record: gets "zoomed" and "met", the reduced map before and after the interaction,
                both (B, D, h, w); "image attention" of positions on words (B, heads, h w, L); and
                "text attention" of words on positions (B, heads, L, h w).

        Returns:
            What is to be added to the map (B, C, H, W) and to the words (B, L, T), and the pairs
            that went into the interactors and that came out.

        Raises:
            RisbookError: if this Bridger and the previous one do not work on the same grid.
        """
        zoomed = self.zoom_in(image)
        grid = zoomed.shape[-2:]
        tokens = rearrange(zoomed, "b d h w -> b (h w) d")
        reduced = self.text_in(words)
        if previous is not None and self.image_norm is not None and self.text_norm is not None:
            if previous.image.shape != tokens.shape:
                raise RisbookError(
                    f"Bridgers meet on {tokens.shape[1]} and on {previous.image.shape[1]} "
                    "positions; choose zoom factors (or an image size) that agree"
                )
            tokens = self.image_norm(tokens + previous.image)
            reduced = self.text_norm(reduced + previous.words)
        before = Pair(tokens, reduced)
        seen: dict[str, Tensor] | None = None if record is None else {}
        read: dict[str, Tensor] | None = None if record is None else {}
        met = self.image_interactor(tokens, reduced, memory_padding=padding, record=seen)
        said = self.text_interactor(reduced, tokens, target_padding=padding, record=read)
        meeting = rearrange(met, "b (h w) d -> b d h w", h=grid[0])
        if record is not None and seen is not None and read is not None:
            record["zoomed"] = rearrange(tokens, "b (h w) d -> b d h w", h=grid[0])
            record["met"] = meeting
            record["image attention"] = seen["attention"]
            record["text attention"] = read["attention"]
        return self.zoom_out(meeting), self.text_out(said), before, Pair(met, said)


class Bridgers(nn.Module):
    """The Bridgers of a system, each after its stage.

    Args:
        channels: channels of the map after each of the tower's stages 1, 2, 3 ...
        factors: zoom factor of each stage.
        text_width: width T of the words.
        stages: which stages have a Bridger, counted from 1; ETRIS has all three. The paper's
            Table 4 has others; the released code knows only the last few (its `multi_stage`).
        width: the common width D.
        heads: heads of the interactors.
        kind: see `Bridger`.
        interactor: see `Bridger`.
        zoom: kind of the Zoom Layers.
        sides: sides H = W of the stages' maps, for zooms that have to know them.
        hidden: see `Bridger`.
        dropout: see `Bridger`.
        link: what the next Bridger gets: the "inputs" of this one's interactors (released code),
            their "outputs" (the paper's figure), or nothing ("none").

    Raises:
        RisbookError: if a stage is none of the tower's.
    """

    def __init__(
        self,
        *,
        channels: Sequence[int],
        factors: Sequence[float],
        text_width: int,
        stages: Sequence[int] = (1, 2, 3),
        width: int = 64,
        heads: int = 4,
        kind: BridgerKind = "resnet",
        interactor: InteractorKind = "auto",
        zoom: ZoomKind = "deconv",
        sides: Sequence[int] | None = None,
        hidden: int = 128,
        dropout: float = 0.1,
        link: Link = "inputs",
    ) -> None:
        super().__init__()
        if unknown := set(stages) - set(range(1, len(channels) + 1)):
            raise RisbookError(
                f"no stage {min(unknown)}: Bridgers can stand after stages 1 to {len(channels)}"
            )
        if width % heads:
            raise RisbookError(f"{heads} heads do not divide a Bridger's width of {width}")
        if interactor not in ("auto", "full", "product"):
            raise RisbookError(f"interactor {interactor!r}: it is 'auto', 'full' or 'product'")
        if link not in ("inputs", "outputs", "none"):
            raise RisbookError(f"link {link!r}: it is 'inputs', 'outputs' or 'none'")
        self.link = link
        self.stages = nn.ModuleDict()
        for stage in sorted(set(stages)):
            self.stages[str(stage)] = Bridger(
                channels=channels[stage - 1],
                text_width=text_width,
                width=width,
                heads=heads,
                kind=kind,
                interactor=interactor,
                factor=factors[stage - 1],
                zoom=zoom,
                side=None if sides is None else sides[stage - 1],
                hidden=hidden,
                dropout=dropout,
                linked=link != "none" and len(self.stages) > 0,
                last=stage == len(channels),
            )

    def forward(
        self,
        stage: int,
        image: Tensor,
        words: Tensor,
        previous: Pair | None = None,
        *,
        padding: Tensor | None = None,
        record: dict[str, Tensor] | None = None,
    ) -> tuple[Tensor, Tensor, Pair | None]:
        """Cross the bridge after a stage, if there is one.

        Args:
            stage: the stage, counted from 1.
            image: its map (B, C, H, W).
            words: the words after the same stage of the text tower (B, L, T).
            previous: what the previous stage's call handed on.
            padding: see `Bridger`.
            record: gets the Bridger's intermediates, their names followed by the stage's number.

        Returns:
            Map and words, with what the meeting added, and what to hand on.
        """
        if str(stage) not in self.stages:
            return image, words, previous
        inner: dict[str, Tensor] | None = None if record is None else {}
        added, said, before, after = self.stages[str(stage)](
            image, words, previous, padding=padding, record=inner
        )
        if record is not None and inner is not None:
            record |= _numbered(inner, stage)
        return image + added, words + said, after if self.link == "outputs" else before


def _numbered(inner: Mapping[str, Tensor], stage: int) -> dict[str, Tensor]:
    return {f"{name} {stage}": value for name, value in inner.items()}
