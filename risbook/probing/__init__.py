"""Probing: what frozen features hold, by neighbours, linear maps and retrieval."""
