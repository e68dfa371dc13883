"""Weights under other people's names: the tables that bring a published file to our towers.

A tower's weights are published under several sets of names. Each set is a `Form`: a table whose
lines say "their name, our name, and what happens to the values in between". Nothing is guessed
from shapes, and a name that no line explains is an error that names it.

Names are taken from the released codes: OpenAI's CLIP (also open_clip's files), transformers'
`CLIPModel` and `Dinov2WithRegistersModel`, timm, and Meta's DINOv2.
"""

from collections.abc import Collection, Mapping

from torch import Tensor

from risbook.errors import DataError
from risbook.towers.rename_clip import CLIP_FORMS
from risbook.towers.rename_dinov2 import DINOV2_FORMS
from risbook.towers.rename_forms import Family, Form, same

_AS_IT_IS = (same("{any}", "{any}"),)

#: What `risbook.towers.build.save_tower` writes.
OWN_FORMS = (
    Form("risbook's", "dinov2", "vit.reg_token", _AS_IT_IS),
    Form("risbook's", "clip-vit", "vit.norm_pre.weight", _AS_IT_IS),
    Form("risbook's", "clip-resnet", "body.stem.conv1.conv.weight", _AS_IT_IS),
    Form("risbook's", "clip-text", "text.embeddings.token_embedding.weight", _AS_IT_IS),
)

#: All forms that are known. Another one is another entry.
FORMS = (*CLIP_FORMS, *DINOV2_FORMS, *OWN_FORMS)


def recognise(names: Collection[str], family: Family) -> Form:
    """Tell from the names in whose form weights are.

    Args:
        names: the names of a state dict.
        family: which tower they are for.

    Returns:
        The form.

    Raises:
        DataError: if they are in no form that is known for this family.
    """
    fitting = [form for form in FORMS if form.marker in names]
    for form in fitting:
        if form.family == family:
            return form
    if fitting:
        found = " and ".join(dict.fromkeys(form.family for form in fitting))
        raise DataError(f"these are weights of a {found} tower, not of a {family} tower")
    known = ", ".join(form.name for form in FORMS if form.family == family)
    first = next(iter(names), "none")
    raise DataError(f"names that no table knows, as {first}; a {family} tower reads: {known}")


def rename(state: Mapping[str, Tensor], *, family: Family, prefix: str = "") -> dict[str, Tensor]:
    """Bring weights in any known form to our names.

    Args:
        state: their names and values.
        family: which tower they are for.
        prefix: what stands before their names, for instance ``"backbone."`` in a checkpoint of
            ETRIS; all other names are left out.

    Returns:
        Our names and values.

    Raises:
        DataError: if the form is not known, or a name is too many.

    >>> import torch
    >>> state = {"register_tokens": torch.zeros(1, 4, 8), "norm.weight": torch.ones(8)}
    >>> sorted(rename(state, family="dinov2"))
    ['vit.norm.weight', 'vit.reg_token']
    """
    stripped = {
        name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)
    }
    return recognise(stripped, family).to_ours(stripped)
