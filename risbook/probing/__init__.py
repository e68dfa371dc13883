"""Probing: what frozen features hold, measured by neighbours, linear maps and retrieval."""
