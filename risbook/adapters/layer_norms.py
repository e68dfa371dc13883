"""Tuning the norms: a scale and a shift for every channel, which the tower already has.

Tuned alone for language models by Qi et al., 2022, "Parameter-efficient tuning on layer
normalization for pre-trained language models", and for vision transformers by Basu et al., 2024,
"Strong baselines for parameter-efficient few-shot fine-tuning". In a ResNet, the batch norms take
the place of the layer norms (Frankle et al., 2021, "Training BatchNorm and only BatchNorm").
"""

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


def tune_norms(tower: nn.Module) -> None:
    """Tune weights and biases of every layer norm and batch norm.

    Args:
        tower: any module, frozen.

    >>> block = nn.Sequential(nn.LayerNorm(4), nn.Linear(4, 4)).requires_grad_(False)
    >>> tune_norms(block)
    >>> [name for name, parameter in block.named_parameters() if parameter.requires_grad]
    ['0.weight', '0.bias']
    """
    for module in tower.modules():
        if isinstance(module, nn.LayerNorm | _BatchNorm):
            module.requires_grad_(True)
