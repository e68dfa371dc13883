"""The interface of image towers that run stage by stage, so that adapters can stand between stages.

A system runs every image tower through this interface: the stages of a transformer are groups of
blocks, those of a CLIP ResNet are layers. ETRIS reads `architecture` to choose its Bridgers.

Stages are counted from 1 in the whole package, as in the names ``bridgers.stages.1`` of a
checkpoint; blocks are counted from 0, as timm counts them. Other sources count otherwise:

| stage | ResNet layer (OpenAI) | ETRIS, released Bridgers | CRIS, ETRIS, names of the neck |
|---|---|---|---|
| 1 | layer2, stride 8 | 0 | f3_proj, fusion3 |
| 2 | layer3, stride 16 | 1 | f4_proj, fusion4 |
| 3 | layer4, stride 32 | 2 | f5_proj, fusion5 |
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, NamedTuple, Protocol

from torch import Tensor, nn

Architecture = Literal["resnet", "vit"]

#: ETRIS and DETRIS take three maps
STAGES = (1, 2, 3)


class StageContext(NamedTuple):
    """The other modality, as adapters inside a tower can read it.

    A system makes one before each stage and gives it to both towers; every site of the stage gets
    it. So adapters of the image tower read the text, and those of the text tower read the image.

    Args:
        text_tokens: (B, L, T) that enter the stage of the text tower; with K prompts (B, L + K, T).
        key_padding_mask: bool (B, L) or (B, L + K), true where a token is padding; None if none is.
        image_map: (B, C, H, W) that enters the stage of the image tower; None if there is none yet.
        record: one dictionary per forward pass, in which an adapter leaves what adapters of later
            blocks read; None if the system has none.
    """

    text_tokens: Tensor
    key_padding_mask: Tensor | None = None
    image_map: Tensor | None = None
    record: dict[str, Any] | None = None


class StagedImageTower(Protocol):
    """An image tower of three stages.

    Attributes:
        architecture: "resnet" or "vit"; ETRIS has another form of Bridger for each.
        modality: "image".
        stage_dims: channels of the map after each stage.
        map_dims: channels of the maps that `forward` returns: the last one is the final map's.
        output_dim: P, channels of the final map.
        strides: stride of the map after each stage, pixels.
        pos_embed: the learned position embeddings.
    """

    architecture: Architecture
    modality: ClassVar[Literal["image"]]

    @property
    def stage_dims(self) -> tuple[int, ...]: ...

    @property
    def map_dims(self) -> tuple[int, ...]: ...

    @property
    def output_dim(self) -> int: ...

    @property
    def strides(self) -> tuple[int, ...]: ...

    @property
    def pos_embed(self) -> nn.Parameter: ...

    @staticmethod
    def options_for(
        arguments: Mapping[str, Any], *, image_size: int, norm_eval: bool
    ) -> dict[str, Any]:
        """Arguments of the class that a system's choices change.

        Args:
            arguments: those of the tower's preset.
            image_size: side S of the images, pixels.
            norm_eval: whether batch norms stay in evaluation mode; only a ResNet has batch norms.
        """

    def set_stages(self, out_indices: Sequence[int] = ()) -> None:
        """Divide a transformer's blocks into three stages; a ResNet has stages of its own."""

    def begin_stages(self, images: Tensor) -> Any:
        """Everything before the first stage, of images (B, 3, height, width)."""

    def run_stage(self, stage: int, state: Any, *, context: StageContext | None = None) -> Any:
        """Run a stage, counted from 1; every adapter inside the stage gets the context."""

    def stage_map(self, state: Any) -> Tensor:
        """The state as a map (B, C, H, W)."""

    def with_stage_map(self, state: Any, features: Tensor) -> Any:
        """The state with another map (B, C, H, W)."""

    def final_map(self, state: Any) -> Tensor:
        """The last map (B, P, H, W), after the last norm; CLIP projects it to the joint space."""
