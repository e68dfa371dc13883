"""Checkpoints of earlier versions: their names of fields and of weights are still read."""

from typing import Any

import pytest
import torch

from risbook.config import to_values
from risbook.files import read_json
from risbook.systems import ETRIS, FirstModel
from risbook.systems.old_checkpoints import rename_old_weights
from risbook.systems.system_presets import SHIPPED_SYSTEMS, get_system_preset

#: the configurations of the shipped checkpoints as the first edition wrote them
OLD_CONFIGS: dict[str, dict[str, Any]] = {
    "first-model": {
        "image_size": 96,
        "word_length": 20,
        "widths": [24, 48, 96, 160],
        "blocks": 2,
        "word_width": 96,
        "text_width": 192,
        "decoder_width": 96,
    },
    "etris-mini": {
        "image_tower": "clip-mini-image",
        "text_tower": "clip-mini-text",
        "weights": "auto",
        "image_size": 96,
        "word_length": 24,
        "stages": [1, 2, 3],
        "bridger_width": 32,
        "bridger_heads": 4,
        "bridger_hidden": 128,
        "interactor": "auto",
        "zoom": "deconv",
        "link": "inputs",
        "mask_padding": False,
        "neck": "hierarchical",
        "decoder_width": 128,
        "decoder_layers": 3,
        "decoder_reads": "words",
        "decoder_heads": 2,
        "decoder_hidden": 128,
        "projector_width": 32,
        "dropout": 0.0,
        "position_tables": True,
        "fixed_statistics": False,
        "image_tuning": "frozen",
        "text_tuning": "frozen",
        "tuning_options": {},
    },
}


@pytest.mark.parametrize("name", list(OLD_CONFIGS))
def test_shipped_configurations_have_present_names_and_old_ones_mean_the_same(name: str) -> None:
    preset = get_system_preset(name)
    shipped = read_json(SHIPPED_SYSTEMS / name / "config.json")["config"]
    assert shipped == to_values(preset.read_config(shipped))
    assert preset.read_config(OLD_CONFIGS[name]) == preset.read_config(shipped)


def test_options_of_both_methods_stood_under_one_key() -> None:
    old = {
        **OLD_CONFIGS["etris-mini"],
        "image_tuning": "lora",
        "text_tuning": "houlsby",
        "tuning_options": {"rank": 2, "bottleneck_dim": 8},
    }
    config = get_system_preset("etris-mini").read_config(old)
    assert config.image_peft.options == {"r": 2}
    assert config.text_peft.options == {"bottleneck_dim": 8}


def test_old_names_of_weights_follow_the_system_that_reads_them() -> None:
    zero = torch.zeros(1)
    old = {"decoder.compare.0.weight": zero, "neck.bring.0.weight": zero, "logit_scale": zero}
    first_model = {"decoder.context_blocks.0.weight": zero, "logit_scale": zero}
    assert list(rename_old_weights(old, first_model, FirstModel.old_weights)) == [
        "decoder.context_blocks.0.weight",
        "neck.bring.0.weight",
        "logit_scale",
    ]
    etris = {"head.neck.resize.0.weight": zero, "head.decoder.compare.0.weight": zero}
    assert list(rename_old_weights(old, etris, ETRIS.old_weights)) == [
        "head.decoder.compare.0.weight",
        "head.neck.resize.0.weight",
        "logit_scale",
    ]
