"""Named intermediate tensors of a forward pass: figures and tests need no hooks.

    values = risbook.Intermediates()
    model(images, sentences, intermediates=values)
    values["bridgers.1.fused"]

A module always writes into what it was given. By default that is `NO_INTERMEDIATES`, which keeps
nothing, so that no module has to ask whether somebody collects.
"""

from torch import Tensor

from risbook.attribute_hints import lazy_attributes


class Intermediates(dict[str, Tensor]):
    """Tensors by dotted name.

    The first words of a name are the part of the system and, where it has several, the stage or the
    layer: "bridgers.1" or "decoder.layers.1". The last word is what the module calls the tensor.
    The module of a part may lie deeper: in ETRIS, "decoder" is the module ``head.decoder``.

    >>> import torch
    >>> intermediates = Intermediates()
    >>> intermediates.sub("decoder").sub("layers")["1"] = torch.zeros(2)
    >>> list(intermediates)
    ['decoder.layers.1']
    """

    #: whether anything is kept; for modules whose intermediates cost time, as attention weights do
    collecting = True

    def __repr__(self) -> str:
        """Names and shapes, one per line."""
        return "\n".join(f"{name}: {tuple(value.shape)}" for name, value in self.items())

    def sub(self, name: str) -> "Intermediates":
        """The part of a submodule: what is written into it gets `name` and a dot in front."""
        return _Section(self, f"{name}.")


class _Section(Intermediates):
    """Writes into another `Intermediates` under a prefix."""

    def __init__(self, parent: Intermediates, prefix: str) -> None:
        super().__init__()
        self._parent = parent
        self._prefix = prefix

    def __setitem__(self, name: str, value: Tensor) -> None:
        self._parent[self._prefix + name] = value


class _NoIntermediates(Intermediates):
    """Keeps nothing."""

    collecting = False

    def __setitem__(self, name: str, value: Tensor) -> None:
        pass

    def sub(self, name: str) -> Intermediates:
        return self


NO_INTERMEDIATES: Intermediates = _NoIntermediates()

__getattr__ = lazy_attributes(
    "risbook.intermediates",
    {},
    dict.fromkeys(
        ("capture", "collect", "hook", "record", "trace"),
        "values = risbook.Intermediates(); model(images, sentences, intermediates=values)",
    ),
)
