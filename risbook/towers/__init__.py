"""Towers: the networks that turn an image or a sentence into features."""

from risbook.towers.attention_pool import AttentionPool
from risbook.towers.byte_pairs import CLIPTokenizer
from risbook.towers.clip import CLIP
from risbook.towers.clip_resnet import CLIPResNet
from risbook.towers.convolutional import ConvolutionalTower
from risbook.towers.features import ImageFeatures, TextFeatures
from risbook.towers.freezing import freeze
from risbook.towers.image_transformer import ImageTransformer
from risbook.towers.origin import Origin, origin_of
from risbook.towers.presets import build_tower, tokenizer_of
from risbook.towers.recurrent import RecurrentTower
from risbook.towers.text_transformer import TextTransformer
from risbook.towers.tower_table import TOWERS
from risbook.towers.words import WordTokenizer

__all__ = [
    "CLIP",
    "TOWERS",
    "AttentionPool",
    "CLIPResNet",
    "CLIPTokenizer",
    "ConvolutionalTower",
    "ImageFeatures",
    "ImageTransformer",
    "Origin",
    "RecurrentTower",
    "TextFeatures",
    "TextTransformer",
    "WordTokenizer",
    "build_tower",
    "freeze",
    "origin_of",
    "tokenizer_of",
]
