"""Take back what a method did to a model before it failed."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def restored_on_error(model: nn.Module) -> Iterator[None]:
    """Leave a model as it was if the block raises an error.

    Restored are the attributes of every module (its children and parameters, so adapters, prompts
    and LoRA go; its mode and its configuration) and what each parameter had for `requires_grad`.
    Values of parameters are not: no method changes one before training.

    >>> model = nn.Sequential(nn.Linear(2, 2))
    >>> with restored_on_error(model):
    ...     model.requires_grad_(False)[0] = nn.Identity()
    ...     raise KeyError("failed")
    Traceback (most recent call last):
        ...
    KeyError: 'failed'
    >>> model[0].weight.requires_grad
    True
    """
    requires_grad = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    namespaces = [vars(module) for module in model.modules()]
    # torch keeps children and parameters in dictionaries and changes these in place
    dictionaries = [
        value for names in namespaces for value in names.values() if type(value) is dict
    ]
    contents = [(dictionary, dict(dictionary)) for dictionary in (*namespaces, *dictionaries)]
    try:
        yield
    except BaseException:
        for dictionary, content in contents:
            dictionary.clear()
            dictionary.update(content)
        for parameter, value in requires_grad:
            parameter.requires_grad_(value)
        raise
