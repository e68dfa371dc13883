"""risbook: parameter-efficient referring image segmentation, taught by building it::

    import risbook

    model = risbook.load("etris-mini")
    mask = model.predict("photo.jpg", "the left dog")
    data = risbook.data.load("refscenes-sample", split="val")
    risbook.evaluate(model, data)
    risbook.metrics.miou(pred, target)
    model = risbook.train("etris-mini", data="refscenes", steps=200)

Importing the package is cheap on purpose: each room is imported when its name is first used, so
that ``import risbook`` loads neither torch nor transformers, timm or matplotlib.
"""

from typing import TYPE_CHECKING

from risbook.attribute_hints import lazy_attributes
from risbook.synonyms import PACKAGE_HINTS

if TYPE_CHECKING:
    from risbook import (
        adapters,
        config,
        data,
        decoder,
        errors,
        evaluation,
        figures,
        intermediates,
        layers,
        ledger,
        metrics,
        pretraining,
        probing,
        refscenes,
        studies,
        systems,
        teaching,
        tokenizers,
        towers,
        training,
    )
    from risbook.adapters import apply_lora, apply_peft, list_peft_methods
    from risbook.adapters import list_peft_methods as list_adapters
    from risbook.data import list_datasets
    from risbook.data import load as load_dataset
    from risbook.evaluation import evaluate  # type: ignore[no-redef]
    from risbook.intermediates import Intermediates
    from risbook.systems import count_parameters, list_models
    from risbook.systems import load_system as load
    from risbook.systems import load_system as load_model
    from risbook.towers import list_towers
    from risbook.training import train

__version__ = "0.1.0"

__all__ = [
    "Intermediates",
    "__version__",
    "adapters",
    "apply_lora",
    "apply_peft",
    "config",
    "count_parameters",
    "data",
    "decoder",
    "errors",
    "evaluate",
    "evaluation",
    "figures",
    "intermediates",
    "layers",
    "ledger",
    "list_adapters",
    "list_datasets",
    "list_models",
    "list_peft_methods",
    "list_towers",
    "load",
    "load_dataset",
    "load_model",
    "metrics",
    "pretraining",
    "probing",
    "refscenes",
    "studies",
    "systems",
    "teaching",
    "tokenizers",
    "towers",
    "train",
    "training",
]

#: the functions that stand at the top, and the rooms that they come from
_FUNCTIONS = {
    "Intermediates": "risbook.intermediates",
    "apply_lora": "risbook.adapters",
    "apply_peft": "risbook.adapters",
    "count_parameters": "risbook.systems",
    "evaluate": "risbook.evaluation",
    "list_adapters": "risbook.adapters:list_peft_methods",
    "list_datasets": "risbook.data",
    "list_models": "risbook.systems",
    "list_peft_methods": "risbook.adapters",
    "list_towers": "risbook.towers",
    "load": "risbook.systems:load_system",
    "load_dataset": "risbook.data:load",
    "load_model": "risbook.systems:load_system",
    "train": "risbook.training",
}
_ROOMS = {name: f"risbook.{name}" for name in __all__ if name not in ("__version__", *_FUNCTIONS)}

__getattr__ = lazy_attributes("risbook", {**_FUNCTIONS, **_ROOMS}, PACKAGE_HINTS)


def __dir__() -> list[str]:
    return sorted(__all__)
