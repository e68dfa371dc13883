"""Names of the mask head in released checkpoints, the same in ETRIS and DETRIS."""

#: beginnings of the released names and our own
HEAD_PREFIXES = {
    "neck.": "head.neck.",
    "decoder.": "head.decoder.",
    "proj.": "head.projector.",
}


def rename_head_entry(name: str) -> str | None:
    """Our name of an entry of neck, decoder or projector; None for any other entry.

    >>> rename_head_entry("proj.txt.weight")
    'head.projector.txt.weight'
    """
    for prefix, ours in HEAD_PREFIXES.items():
        if name.startswith(prefix):
            return ours + name.removeprefix(prefix)
    return None
