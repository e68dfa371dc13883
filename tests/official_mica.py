"""The recorded small MiCA: its configuration, and its weights in the layout of a released file."""

import re
from typing import Any

import torch
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


def released_towers(file: Recording) -> dict[str, Tensor]:
    """The recorded towers as a released file holds them: each GLiA in every container.

    The recording has one copy of each, and no entry that the towers do not read.
    """
    state = dict(file.below("sd/"))
    state["dinov2.mask_token"] = torch.zeros_like(state["dinov2.cls_token"][:, 0])
    state["txt_backbone.logit_scale"] = state["txt_backbone.logit_scale"].reshape(())
    for name, value in list(state.items()):
        if name.endswith("num_batches_tracked"):
            state[name] = value.reshape(())
    for tower, blocks in (("dinov2.", IMAGE_BLOCKS), ("txt_backbone.", TEXT_BLOCKS)):
        pattern = re.compile(rf"({re.escape(tower)}.*)serial_adapter\.adapters\.((\d+)\..+)")
        matches = list(filter(None, map(pattern.fullmatch, state)))
        for block in sorted({match[3] for match in matches}):
            for match in matches:
                copy = f"{blocks}{block}.serial_adapter.adapters.{match[2]}"
                state[copy] = state[match[0]]
    return state
