"""risbook: parameter-efficient referring image segmentation, taught by building it.

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
    from risbook.adapters import apply_lora, apply_peft, list_adapters
    from risbook.data import list_datasets
    from risbook.data import load as load_dataset
    from risbook.evaluation import evaluate_model as evaluate  # type: ignore[no-redef]
    from risbook.systems import count_parameters, list_models
    from risbook.systems import load_system as load
    from risbook.systems import load_system as load_model
    from risbook.training import train

__version__ = "0.1.0"

__all__ = [
    "__version__",
    "adapters",
    "apply_lora",
    "apply_peft",
    "count_parameters",
    "data",
    "decoder",
    "errors",
    "evaluate",
    "evaluation",
    "figures",
    "ledger",
    "list_adapters",
    "list_datasets",
    "list_models",
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
    "towers",
    "train",
    "training",
]

#: name -> the room and the function that it stands for; every other name is a room's.
_FUNCTIONS = {
    "apply_lora": ("risbook.adapters", "apply_lora"),
    "apply_peft": ("risbook.adapters", "apply_peft"),
    "count_parameters": ("risbook.systems", "count_parameters"),
    "evaluate": ("risbook.evaluation", "evaluate_model"),
    "list_adapters": ("risbook.adapters", "list_adapters"),
    "list_datasets": ("risbook.data", "list_datasets"),
    "list_models": ("risbook.systems", "list_models"),
    "load": ("risbook.systems", "load_system"),
    "load_dataset": ("risbook.data", "load"),
    "load_model": ("risbook.systems", "load_system"),
    "train": ("risbook.training", "train"),
}

#: other first guesses, and what to write
_HINTS = {
    "collate_fn": "a DataLoader without collate_fn=: the default works",
    "apply_adapter": 'risbook.apply_peft(model, "houlsby")',
    "add_lora": 'risbook.apply_peft(model, "lora")',
    "bridger": "risbook.adapters.Bridger",
    "build_model": 'risbook.systems.build_system("etris-mini")',
    "dataset": 'risbook.data.load("refscenes", split="val")',
    "datasets": 'risbook.data.load("refscenes", split="val")',
    "fit": 'risbook.train("etris-mini", data="refscenes", steps=200)',
    "finetune": 'risbook.train("etris-mini", data="refscenes", steps=200)',
    "from_pretrained": 'risbook.load("etris-mini")',
    "miou": "risbook.metrics.miou(pred, target)",
    "models": "risbook.list_models()",
    "num_parameters": "risbook.count_parameters(model)",
    "open_data": 'risbook.data.load("refscenes", split="val")',
    "oiou": "risbook.metrics.oiou(pred, target)",
    "predict": 'risbook.load("etris-mini").predict(image, text)',
    "save": "model.save_pretrained(folder)",
    "save_model": "model.save_pretrained(folder)",
    "segment": 'risbook.load("etris-mini").predict(image, text)',
    "trainer": 'risbook.train("etris-mini", data="refscenes", steps=200)',
    "visualize": "risbook.figures.show_referring(image, prediction=mask)",
    "show": "risbook.figures.show_referring(image, prediction=mask)",
    "plot": "risbook.figures.show_referring(image, prediction=mask)",
}


def __getattr__(name: str) -> Any:
    if name in _FUNCTIONS:
        room, function = _FUNCTIONS[name]
        return getattr(import_module(room), function)
    if name in __all__:
        return import_module(f"risbook.{name}")
    hint = _HINTS.get(name.lower())
    if hint is None and not name.startswith("_"):
        from difflib import get_close_matches

        close = get_close_matches(name, __all__, n=1)
        hint = f"risbook.{close[0]}" if close else "dir(risbook) for what there is"
    raise AttributeError(
        f"module 'risbook' has no attribute {name!r}" + (f"; try {hint}" if hint else "")
    )


def __dir__() -> list[str]:
    return sorted(__all__)
