"""LoRA: a low-rank change of the attention's weights, through the library `peft`.

Hu et al., 2022, "LoRA: low-rank adaptation of large language models", section 4.1: W x becomes
W x + (alpha / r) B A x, with A (r, in) random and B (out, r) zero at first. Once trained, the
change can be added into W, so that it costs nothing when the tower is used.

`peft` puts its own layer around each projection, whose names grow by it: `attn.qkv.weight` becomes
`attn.qkv.base_layer.weight`. So a tower's weights are loaded first and LoRA is added after.
"""

from torch import nn

from risbook.errors import DataError
from risbook.towers.clip_resnet import CLIPResNet
from risbook.towers.image_transformer import ImageTransformer
from risbook.towers.text_transformer import TextTransformer

#: the attention's projections by their names, as regular expressions over the whole name
PROJECTIONS: dict[type[nn.Module], str] = {
    ImageTransformer: r"vit\.blocks\.\d+\.attn\.(qkv|proj)",
    TextTransformer: r"text\.encoder\.layers\.\d+\.self_attn\.(q|k|v|out)_proj",
    CLIPResNet: r"attention_pool\.(q|k|v|c)_proj",
}


def add_lora(
    tower: nn.Module, *, rank: int = 8, alpha: float | None = None, dropout: float = 0.0
) -> None:
    """Add LoRA to every projection of a tower's attention.

    A projection from C to D values gets r (C + D) parameters. The image tower's queries, keys and
    values are one projection, from C to 3 C, and share A: 6 r C a block; the text tower's are
    three: 8 r C a block. In a ResNet only the attention pool has projections.

    Args:
        tower: an `ImageTransformer`, `TextTransformer` or `CLIPResNet`.
        rank: r.
        alpha: what the change is multiplied by, times r; None for r, a factor of 1.
        dropout: share of the values before A that is dropped while training.

    Raises:
        DataError: if peft is not installed, the rank is none, or the tower has LoRA already.
    """
    if rank < 1:
        raise DataError(f"LoRA of rank {rank}: the rank has to be at least 1")
    if hasattr(tower, "peft_config"):
        raise DataError("this tower already has LoRA: make a new tower to add another one")
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise DataError(
            f'LoRA needs the library peft ({error}): install it by pip install "peft>=0.18"'
        ) from error

    tuned = [parameter for parameter in tower.parameters() if parameter.requires_grad]
    config = LoraConfig(
        r=rank,
        lora_alpha=rank if alpha is None else alpha,
        lora_dropout=dropout,
        target_modules=PROJECTIONS[type(tower)],
    )
    inject_adapter_in_model(config, tower)
    # peft freezes all that is not LoRA; what else was to learn still is.
    for parameter in tuned:
        parameter.requires_grad_(True)
