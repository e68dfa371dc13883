"""The families of towers: what the towers of one design have in common.

A new family is one entry of `FAMILIES`, beside its class. A new tower of a family is one entry of
`risbook.towers.tower_presets.TOWERS`. The sets of published names stand in
`risbook.towers.weights.forms`, and the projections that LoRA changes by default in
`risbook.adapters.lora`.
"""

from dataclasses import dataclass

from risbook.errors import RisbookError
from risbook.towers.clip_resnet import CLIPResNet
from risbook.towers.image_transformer import ImageTransformer
from risbook.towers.text_transformer import TextTransformer
from risbook.towers.weights.forms import (
    CLIP_RESNET_FORMS,
    CLIP_TEXT_FORMS,
    CLIP_VIT_FORMS,
    DINOV2_FORMS,
    IMAGE_SIDE,
    MASK_TOKEN,
    TEXT_SIDE,
    Form,
)

Tower = ImageTransformer | CLIPResNet | TextTransformer


@dataclass(frozen=True)
class TowerFamily:
    """What the towers of one design have in common.

    Args:
        tower_class: the class of the towers.
        forms: the sets of names in which their weights are published.
        ignored: regular expression of the published names that the tower does not need.
        new_parts: parts that a published file does not hold; they start from initial values.
        is_text: whether the towers encode sentences.
    """

    tower_class: type[Tower]
    forms: tuple[Form, ...]
    ignored: str
    new_parts: tuple[str, ...] = ()
    is_text: bool = False


FAMILIES: dict[str, TowerFamily] = {
    "clip-vit": TowerFamily(ImageTransformer, CLIP_VIT_FORMS, ignored=TEXT_SIDE),
    "clip-resnet": TowerFamily(
        CLIPResNet,
        CLIP_RESNET_FORMS,
        ignored=TEXT_SIDE,
        # the residual branch of CRIS and ETRIS, which CLIP does not have
        new_parts=("attention_pool.connect",),
    ),
    "clip-text": TowerFamily(TextTransformer, CLIP_TEXT_FORMS, ignored=IMAGE_SIDE, is_text=True),
    "dinov2": TowerFamily(ImageTransformer, DINOV2_FORMS, ignored=MASK_TOKEN),
}


def tower_family(name: str) -> TowerFamily:
    """Look a family up.

    Raises:
        RisbookError: if there is none of that name; the message lists all of them.
    """
    if name not in FAMILIES:
        raise RisbookError(
            f"no family of towers is called '{name}'; there are: {', '.join(FAMILIES)}"
        )
    return FAMILIES[name]
