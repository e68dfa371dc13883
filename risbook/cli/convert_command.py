"""``risbook convert``: a checkpoint of the released ETRIS or DETRIS as one of ours."""

from pathlib import Path
from typing import Any


def convert(system: str, file: Path, *, out: Path, overrides: dict[str, Any] | None = None) -> None:
    """Turn a released checkpoint of ETRIS or DETRIS into one that evaluate and predict read.

    Args:
        system: as what it was trained: etris-rn50, etris-rn101, etris-vitb16, detris-b, detris-l
            or detris-l-mixed.
        file: best_model.pth or last_model.pth.
        out: folder of the checkpoint to write.
        overrides: what the file was trained with instead of the preset's, for instance
            max_tokens=22.

    for example:
      risbook convert etris-rn50 best_model.pth --out runs/etris-rn50
      risbook convert etris-vitb16 best_model.pth --out runs/etris-g --set max_tokens=22
      risbook evaluate runs/etris-rn50 --data path/to/refcoco

    No file tells the length of its sentences: max_tokens is 17 for RefCOCO and RefCOCO+, as in
    the presets, and 22 for RefCOCOg.

    Only names and tensors are read, and nothing in the file is run. The checkpoint holds all
    weights, the towers' as well, and the file's name and SHA-256. It needs no network to be made;
    whoever evaluates it needs CLIP's tokenizer, which is fetched once or lies as
    clip-rn50/tokenizer.json (or clip-rn101, clip-vitb16) in the folder that RISBOOK_WEIGHTS names.
    """
    from risbook.systems import convert_released

    source = convert_released(file, system, out, overrides=overrides or {})
    print(f"checkpoint: {out} ({source})")
