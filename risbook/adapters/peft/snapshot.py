"""Take back what a method did to a model before it failed."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


@contextmanager
def restored_on_error(model: nn.Module, *, values: Iterable[Tensor] = ()) -> Iterator[None]:
    """Leave a model as it was if the block raises an error.

    Restored are the attributes of every module (its children and parameters, so adapters, prompts
    and LoRA go; its mode and its configuration) and what each parameter had for `requires_grad`.
    Of parameters, the values are restored that `values` names; no method changes one before
    training.

    Args:
        model: the model.
        values: parameters that the block may change in place; they are copied.

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
    # and peft keeps the names of merged adapters in lists
    lists = [value for names in namespaces for value in names.values() if type(value) is list]
    contents = [(dictionary, dict(dictionary)) for dictionary in (*namespaces, *dictionaries)]
    entries = [(a_list, list(a_list)) for a_list in lists]
    copies = [(tensor, tensor.detach().clone()) for tensor in values]
    try:
        yield
    except BaseException:
        for dictionary, content in contents:
            dictionary.clear()
            dictionary.update(content)
        for a_list, former in entries:
            a_list[:] = former
        with torch.no_grad():
            for tensor, copy in copies:
                tensor.copy_(copy)
        for parameter, value in requires_grad:
            parameter.requires_grad_(value)
        raise
