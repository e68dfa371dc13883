"""Towers: the networks that turn an image or a sentence into features."""

from risbook.attribute_hints import lazy_attributes
from risbook.towers.attention_pool import AttentionPool
from risbook.towers.build import build_tower, tokenizer_of
from risbook.towers.clip import CLIP
from risbook.towers.clip_resnet import CLIPResNet
from risbook.towers.convolutional import ConvolutionalTower
from risbook.towers.families import TowerFamily, register_tower_family
from risbook.towers.features import ImageFeatures, TextFeatures
from risbook.towers.fetch import fetch_tower
from risbook.towers.freezing import freeze
from risbook.towers.image_transformer import ImageTransformer
from risbook.towers.presets import TOWERS, TowerPreset, list_towers, register_tower
from risbook.towers.recurrent import RecurrentTower
from risbook.towers.stages import StageContext, StagedImageTower, StagedTextTower
from risbook.towers.text_transformer import TextTransformer
from risbook.towers.weights.origin import WeightsOrigin, weights_origin

__all__ = [
    "CLIP",
    "TOWERS",
    "AttentionPool",
    "CLIPResNet",
    "ConvolutionalTower",
    "ImageFeatures",
    "ImageTransformer",
    "RecurrentTower",
    "StageContext",
    "StagedImageTower",
    "StagedTextTower",
    "TextFeatures",
    "TextTransformer",
    "TowerFamily",
    "TowerPreset",
    "WeightsOrigin",
    "build_tower",
    "fetch_tower",
    "freeze",
    "list_towers",
    "register_tower",
    "register_tower_family",
    "tokenizer_of",
    "weights_origin",
]

__getattr__ = lazy_attributes(
    "risbook.towers",
    {},
    {
        "cliptokenizer": "risbook.tokenizers.CLIPTokenizer",
        "wordtokenizer": "risbook.tokenizers.WordTokenizer",
        "list": "risbook.towers.list_towers()",
        "load": 'risbook.towers.build_tower("dinov2-mini")',
        "load_tower": 'risbook.towers.build_tower("dinov2-mini")',
        "get_tower": 'risbook.towers.build_tower("dinov2-mini")',
        "dinov2": 'risbook.towers.build_tower("dinov2-mini")',
    },
)
