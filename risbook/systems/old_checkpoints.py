"""Earlier names of fields of configurations and of weights in checkpoints.

Checkpoints and result files on disk keep these names. The left side of each table is the old name,
the right side the present one. In the tables of weights both sides are prefixes of names.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from torch import Tensor

from risbook.adapters.peft.peft_methods import get_peft_method
from risbook.config import Aliases
from risbook.errors import ArgumentError

OLD_FIRST_MODEL_WEIGHTS: Mapping[str, str] = {
    "text_tower.reader.": "text_tower.gru.",
    "decoder.compare.": "decoder.context_blocks.",
    "decoder.sharpen.": "decoder.upsample_blocks.",
    "decoder.answer.": "decoder.mask_conv.",
}

OLD_ETRIS_WEIGHTS: Mapping[str, str] = {
    "neck.bring.": "head.neck.resize.",
    "neck.": "head.neck.",
    "decoder.": "head.decoder.",
    "projector.": "head.projector.",
    "sentence_reader.": "head.sentence_proj.",
}

OLD_FIRST_MODEL_KEYS: Aliases = {
    "word_length": "max_tokens",
    "widths": "map_dims",
    "image_dims": "map_dims",
    "word_width": "word_dim",
    "text_width": "text_dim",
    "decoder_width": "decoder_dim",
}


def rename_old_weights(
    state: Mapping[str, Tensor], expected: Mapping[str, Tensor], old_weights: Mapping[str, str]
) -> dict[str, Tensor]:
    """The tensors of a checkpoint under the names that the system has now.

    Args:
        state: tensors by name, old or present.
        expected: the system's own state. A name that it has is kept, and an old name is replaced
            only by one that it has.
        old_weights: the system's table.
    """

    def present_name(name: str) -> str:
        if name in expected:
            return name
        for old, new in old_weights.items():
            present = new + name.removeprefix(old)
            if name.startswith(old) and present in expected:
                return present
        return name

    return {present_name(name): value for name, value in state.items()}


def _out_indices(last_blocks: Any) -> dict[str, Any]:
    out_indices = [block - 1 for block in last_blocks]  # blocks were counted from 1
    return {"image_out_indices": out_indices, "text_out_indices": out_indices}


def _text_input(decoder_reads: Any) -> dict[str, Any]:
    return {"head.text_input": "tokens" if decoder_reads == "words" else decoder_reads}


def _dropout(dropout: Any) -> dict[str, Any]:
    return {"bridger.dropout": dropout, "head.dropout": dropout}


OLD_ETRIS_KEYS: Aliases = {
    "word_length": "max_tokens",
    "stages": "bridger.stages",
    "stage_ends": _out_indices,
    "bridger_width": "bridger.dim",
    "bridger_heads": "bridger.num_heads",
    "bridger_hidden": "bridger.ffn_dim",
    "interactor": "bridger.interactor",
    "zoom": "bridger.zoom",
    "link": "bridger.link",
    "mask_padding": "bridger.mask_padding",
    "bridger.key_padding_mask": "bridger.mask_padding",
    "neck": "head.neck",
    "decoder_width": "head.dim",
    "decoder_layers": "head.num_layers",
    "decoder_reads": _text_input,
    "decoder_heads": "head.num_heads",
    "decoder_hidden": "head.ffn_dim",
    "projector_width": "head.projector_dim",
    "dropout": _dropout,
    "position_tables": "train_pos_embed",
    "fixed_statistics": "norm_eval",
    "image_tuning": "image_peft.method",
    "text_tuning": "text_peft.method",
    "image_adapter": "image_peft.method",
    "text_adapter": "text_peft.method",
}


def old_etris_keys(values: Mapping[str, Any]) -> Aliases:
    """The old names of fields of ETRIS, each with the present one, for the given values.

    The options of both towers' methods stood under one key. Which of them belong to which tower
    depends on the methods, which are among the values.
    """
    methods = {
        side: values.get(f"{side}_adapter", values.get(f"{side}_tuning", "frozen"))
        for side in ("image", "text")
    }
    share_options = partial(_share_options, methods)
    aliases = {**OLD_ETRIS_KEYS, "adapter_options": share_options, "tuning_options": share_options}
    bridger = values.get("bridger")
    if isinstance(bridger, Mapping) and "key_padding_mask" in bridger:
        aliases["bridger"] = _mask_padding
    return aliases


def _mask_padding(bridger: Mapping[str, Any]) -> dict[str, Any]:
    renamed = {"key_padding_mask": "mask_padding"}
    return {f"bridger.{renamed.get(key, key)}": value for key, value in bridger.items()}


def _share_options(methods: Mapping[str, Any], options: Any) -> dict[str, Any]:
    """Each method takes those of the common options that it has."""
    options = dict(options)
    shared: dict[str, dict[str, Any]] = {}
    for side, name in methods.items():
        method = get_peft_method(str(name))
        shared[side] = {key: value for key, value in options.items() if method.option_name(key)}
    if unknown := sorted(set(options) - {key for own in shared.values() for key in own}):
        names = " nor ".join(str(name) for name in methods.values())
        raise ArgumentError(f"adapter_options: neither {names} has the option {unknown[0]!r}")
    return {f"{side}_peft.options": own for side, own in shared.items() if own}
