"""BitFit: tune the biases alone.

Ben Zaken et al., 2022, "BitFit: simple parameter-efficient fine-tuning for transformer-based masked
language-models", section 3. No parameter is new. One of the biases cannot help: that of the
attention's keys adds the same to all scores of a query, which softmax ignores.
"""

from torch import nn


def tune_biases(tower: nn.Module) -> None:
    """Tune every bias of a frozen module, those of its norms included.

    >>> layer = nn.Linear(3, 2).requires_grad_(False)
    >>> tune_biases(layer)
    >>> [name for name, parameter in layer.named_parameters() if parameter.requires_grad]
    ['bias']
    """
    for name, parameter in tower.named_parameters():
        if name.rpartition(".")[2] == "bias":
            parameter.requires_grad_(True)
