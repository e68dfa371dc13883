"""Layers that towers, adapters and decoders share: convolutions, attention, position embeddings."""
