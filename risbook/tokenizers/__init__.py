"""Tokenizers: sentences to rows of ids, by words or by CLIP's byte pairs."""

from risbook.tokenizers.clip_tokenizer import CLIPTokenizer
from risbook.tokenizers.word_tokenizer import WordTokenizer

__all__ = ["CLIPTokenizer", "WordTokenizer"]
