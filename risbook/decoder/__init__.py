"""Decoders: from the features of both towers to one map of logits."""

from risbook.decoder.concatenation import ConcatenationDecoder, coordinates

__all__ = ["ConcatenationDecoder", "coordinates"]
