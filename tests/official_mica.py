"""The configuration of the recorded small MiCA."""

from typing import Any

from parity import Recording, below
from torch import Tensor

#: heads of all recorded attentions, which no weight tells: the README names them
NUM_HEADS = 4
#: what stands before the names of the blocks in a whole checkpoint
IMAGE_BLOCKS, TEXT_BLOCKS = "dinov2.blocks.", "txt_backbone.transformer.resblocks."
#: a MiCA without adapters
EMPTY: dict[str, Any] = dict.fromkeys(("glia", "caa", "text_glia", "text_caa"))


def adapter_overrides(adapters: dict[str, Tensor]) -> dict[str, Any]:
    """The configuration of adapters under our names, as overrides of the released one."""
    overrides: dict[str, Any] = dict(EMPTY)
    for modality, prefix in (("image", ""), ("text", "text_")):
        for branch, name in (("attention", "glia"), ("mlp", "caa")):
            part, start, end = prefix + name, f"{modality}_tower.adapters.", f"_{branch}.adapter."
            downs = {k: v for k, v in adapters.items() if k.endswith(f"{end}down.weight")}
            downs = below(downs, start)
            if not downs:
                continue
            widths = {len(value) for value in downs.values()}
            overrides[f"{part}.blocks"] = sorted(int(key.split("_")[0]) for key in downs)
            overrides[f"{part}.bottleneck_dim"] = widths.pop()
            overrides[f"{part}.num_heads"] = NUM_HEADS
            overrides[f"{part}.dropout"] = 0.0  # as recorded
            del overrides[part]
            if part == "caa":
                text_proj = f"{start}{overrides['caa.blocks'][0]}{end}cross.text_proj.bias"
                overrides["caa.attn_dim"] = len(adapters[text_proj])
    return overrides


def mica_overrides(file: Recording, adapters: dict[str, Tensor]) -> dict[str, Any]:
    """The configuration of the recorded small MiCA; its mask head was not recorded."""
    weights = file.below("sd/")
    depth = len({key.split(".")[2] for key in weights if key.startswith(IMAGE_BLOCKS)})
    return {
        **adapter_overrides(adapters),
        "image_size": file["in/img"].shape[-1],
        "max_tokens": file["in/word"].shape[1],
        "image_out_indices": (0, 2, depth - 1),
        "head.dim": len(weights["txt_backbone.ln_final.weight"]),
        "head.num_heads": 2,
        "head.ffn_dim": 16,
        "head.projector_dim": 8,
    }
