"""The families of towers, each with its class.

A new family is one entry here and one of `risbook.towers.weights.forms.PUBLICATIONS`; the layers
that LoRA changes by default stand in `risbook.adapters.lora`.
"""

from risbook.towers.clip_resnet import CLIPResNet
from risbook.towers.image_transformer import ImageTransformer
from risbook.towers.text_transformer import TextTransformer

Tower = ImageTransformer | CLIPResNet | TextTransformer

FAMILIES: dict[str, type[Tower]] = {
    "clip-vit": ImageTransformer,
    "clip-resnet": CLIPResNet,
    "clip-text": TextTransformer,
    "dinov2": ImageTransformer,
}
