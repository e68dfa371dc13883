"""risbook: parameter-efficient referring image segmentation, taught by building it.

    import risbook

    model = risbook.load("etris-mini")
    data = risbook.data.load("refscenes-sample", split="val")
    risbook.metrics.miou(pred, target)
    model = risbook.train("etris-mini", data="refscenes", steps=200)

Importing the package is cheap on purpose: each room is imported when its name is first used, so
that ``import risbook`` loads neither torch nor transformers, timm or matplotlib.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from risbook import (
        adapters,
        data,
        decoder,
        errors,
        evaluation,
        figures,
        ledger,
        metrics,
        pretraining,
        probing,
        refscenes,
        studies,
        systems,
        teaching,
        towers,
        training,
    )
    from risbook.systems import load_system as load
    from risbook.training import train

__version__ = "0.1.0"

__all__ = [
    "__version__",
    "adapters",
    "data",
    "decoder",
    "errors",
    "evaluation",
    "figures",
    "ledger",
    "load",
    "metrics",
    "pretraining",
    "probing",
    "refscenes",
    "studies",
    "systems",
    "teaching",
    "towers",
    "train",
    "training",
]

#: name -> the room and the function that it stands for; every other name is a room's.
_FUNCTIONS = {
    "load": ("risbook.systems", "load_system"),
    "train": ("risbook.training", "train"),
}


def __getattr__(name: str) -> Any:
    if name in _FUNCTIONS:
        room, function = _FUNCTIONS[name]
        return getattr(import_module(room), function)
    if name in __all__:
        return import_module(f"risbook.{name}")
    raise AttributeError(f"module 'risbook' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
