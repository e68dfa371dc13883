"""Towers: the networks that turn an image or a sentence into features."""

from risbook.towers.convolutional import ConvolutionalTower
from risbook.towers.features import ImageFeatures, TextFeatures
from risbook.towers.recurrent import RecurrentTower
from risbook.towers.words import WordTokenizer

__all__ = [
    "ConvolutionalTower",
    "ImageFeatures",
    "RecurrentTower",
    "TextFeatures",
    "WordTokenizer",
]
