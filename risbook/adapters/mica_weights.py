"""Initial weights of MiCA's adapters, as they are in effect in the released code.

MiCA (Li et al., 2026). The adapters have an initialisation of their own, but in the image tower
DINOv2's constructor runs after it and fills every linear layer again. The fill of FiLM (Perez et
al., 2018) with the identity is lost in this way, too.
"""

from collections.abc import Iterable

from torch import nn

from risbook.towers.stages import Modality

#: gain of Xavier's rule in the text tower
TEXT_GAIN = 0.02
#: deviation in the image tower
IMAGE_STD = 0.02


def init_linears(layers: nn.Module | Iterable[nn.Module], modality: Modality) -> None:
    """Fill linear layers as in the released image tower or text tower; biases become 0.

    Args:
        layers: layers, or a module that holds them.
        modality: "image" for a normal distribution of deviation 0.02, cut at 2; "text" for Xavier's
            uniform rule times 0.02, of deviation 0.0012 between 512 and 64 channels.
    """
    for layer in layers.modules() if isinstance(layers, nn.Module) else layers:
        if not isinstance(layer, nn.Linear):
            continue
        if modality == "image":
            nn.init.trunc_normal_(layer.weight, std=IMAGE_STD)
        else:
            nn.init.xavier_uniform_(layer.weight, gain=TEXT_GAIN)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def zero_output(layer: nn.Linear) -> None:
    """Let a last layer start at zero, so that its adapter first adds nothing."""
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
