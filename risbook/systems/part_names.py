"""The parts under which reports count the parameters of two towers, see `System.part_of`.

The three tables are by modality.
"""

TOWER_PARTS = {"image": "image tower", "text": "text tower"}
ADAPTER_PARTS = {"image": "image adapters", "text": "text adapters"}
POS_EMBED_PARTS = {"image": "image position embedding", "text": "text position embedding"}


def tower_attribute(modality: str) -> str:
    """The attribute of a `PEFTSystem` that holds a tower, with which its weights' names begin."""
    return f"{modality}_tower"
