"""``risbook convert``: a checkpoint of the released ETRIS, DETRIS or MiCA as one of ours."""

from pathlib import Path
from typing import Any


def convert(
    file: Path,
    out: Path,
    *,
    system: str = "",
    data: str = "",
    whole: bool = False,
    overrides: dict[str, Any] | None = None,
) -> None:
    """Turn a released checkpoint of ETRIS, DETRIS or MiCA into one that evaluate and predict read.

    Args:
        file: a .pth file that the authors published, or that their training wrote.
        out: folder of the checkpoint to write.
        system: the preset that it was trained as (default: recognised by its entries).
        data: what it was trained on: refcoco, refcoco+, refcocog_u, refcocog_g or, of DETRIS,
            refcoco_mixed (default: what the name of the file tells).
        whole: also write the frozen weights of both towers.
        overrides: what the file was trained with instead of the preset's, for instance
            max_tokens=20.

    for example:
      risbook convert base_refcoco.pth runs/detris-b
      risbook convert best_model.pth runs/etris-g --data refcocog_u --whole
      risbook evaluate runs/detris-b --data path/to/refcoco

    Every entry of the file has to fit: one that is missing or left over is named, and nothing is
    written. Only names and tensors are read, and nothing in the file is run. No file holds the
    length of its sentences; it follows from the data: 17 tokens, or 22 for refcocog_u, and for
    refcocog_g of ETRIS.

    Without --whole the folder holds what was trained. It names the published files of the frozen
    towers with their revisions, and keeps a digest of their values, which loading compares. Whoever
    evaluates it needs these files and CLIP's tokenizer; with --whole the tokenizer alone. They are
    fetched once, or lie in the folder that RISBOOK_WEIGHTS names. The conversion itself needs no
    network.
    """
    from risbook.ledger import reported_results
    from risbook.systems import convert_released

    released = convert_released(
        file,
        out,
        system or None,
        data=data or None,
        whole=whole,
        overrides=overrides,
        find_results=reported_results,
    )
    trained_on = f"trained on {released.data}, " if released.data else ""
    print(f"{file}: {released.name}, {trained_on}{released.config.max_tokens} tokens per sentence")
    content = "all weights" if whole else "what was trained, without the frozen towers"
    print(f"wrote {out}: {content} ({released.origin})")
