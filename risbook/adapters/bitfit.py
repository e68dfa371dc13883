"""BitFit: tune the biases, nothing else.

Ben Zaken et al., 2022, "BitFit: simple parameter-efficient fine-tuning for transformer-based masked
language-models", section 3. No parameter is new. One of the biases cannot help: that of the
attention's keys adds the same to all scores of a query, which softmax does not see.
"""

from torch import nn


def tune_biases(tower: nn.Module) -> None:
    """Let every bias of a tower learn, those of its norms included.

    Args:
        tower: any module, frozen.

    >>> layer = nn.Linear(3, 2).requires_grad_(False)
    >>> tune_biases(layer)
    >>> [name for name, parameter in layer.named_parameters() if parameter.requires_grad]
    ['bias']
    """
    for name, parameter in tower.named_parameters():
        if name.rpartition(".")[2] == "bias":
            parameter.requires_grad_(True)
