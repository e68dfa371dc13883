"""Tuning the layer norms: a scale and a shift for every channel, which the tower already has.

Tuned alone for language models by Qi et al., 2022, "Parameter-efficient tuning on layer
normalization for pre-trained language models", and for vision transformers by Basu et al., 2024,
"Strong baselines for parameter-efficient few-shot fine-tuning".
"""

from torch import nn

from risbook.errors import ArgumentError


def tune_layer_norms(tower: nn.Module) -> None:
    """Tune weights and biases of every layer norm.

    Args:
        tower: any module, frozen.

    Raises:
        ArgumentError: if it has no layer norm.

    >>> block = nn.Sequential(nn.LayerNorm(4), nn.Linear(4, 4)).requires_grad_(False)
    >>> tune_layer_norms(block)
    >>> [name for name, parameter in block.named_parameters() if parameter.requires_grad]
    ['0.weight', '0.bias']
    """
    norms = [module for module in tower.modules() if isinstance(module, nn.LayerNorm)]
    if not norms:
        raise ArgumentError(f"{type(tower).__name__} has no layer norm to tune")
    for norm in norms:
        norm.requires_grad_(True)
