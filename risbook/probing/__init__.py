"""Probing: the content of frozen features, measured by neighbours, linear maps and retrieval."""
