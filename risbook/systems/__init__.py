"""Systems: two towers, adapters and a mask head, composed and named.

`risbook.load` (here `load_system`) reads a checkpoint and `model.save_pretrained` writes one;
`System.from_pretrained` reads one of a given class. The files of this room, by what they do:

- base classes: system, peft_system, network_system;
- composition: first_model, the folders etris, detris and mica, for every system on two towers
  system_towers, and for those whose text tower runs first text_first_system;
- names: system_preset (what a preset is), system_presets (the table of all);
- files: checkpoints, hub_checkpoints, model_card, measured_results, mismatch, old_checkpoints;
- files of the authors' repositories: released_checkpoints, released_code, released_names;
- ONNX: onnx_export;
- masks: inference, postprocess, evaluation_mode, losses, box_losses;
- counts: parameters, part_names.

A new system on two towers is a configuration derived from `PEFTSystemConfig`, a class derived from
`PEFTSystem` with a `forward`, a builder that calls `build_towers`, and a `SystemPreset` for
`register_system`; ``tests/systems/test_toy_system.py`` has one of forty lines. If the builder adds
adapters or prompts to the towers itself, the class sets ``builds_adapters = True``, so that they
can be saved.
"""

from risbook.adapters.bridger import BridgerConfig
from risbook.decoder.mask_head import MaskHeadConfig
from risbook.systems.checkpoints import list_shipped, load_system, save_system
from risbook.systems.detris import DETRIS, DETRISConfig, build_detris
from risbook.systems.etris import ETRIS, ETRISConfig, build_etris
from risbook.systems.first_model import FirstModel, FirstModelConfig
from risbook.systems.losses import register_loss
from risbook.systems.mica import MiCA, MiCAConfig, build_mica
from risbook.systems.network_system import NetworkSystem
from risbook.systems.parameters import count_parameters
from risbook.systems.peft_system import PEFTSystem
from risbook.systems.postprocess import THRESHOLD, predict_mask
from risbook.systems.released_checkpoints import (
    ReleasedCheckpoint,
    convert_released,
    load_released,
    read_released,
)
from risbook.systems.system import System
from risbook.systems.system_preset import BuildInputs, SystemPreset
from risbook.systems.system_presets import (
    SYSTEMS,
    build_meta_system,
    build_system,
    list_models,
    register_system,
)
from risbook.systems.system_towers import (
    PEFTSystemConfig,
    Towers,
    build_image_tower,
    build_mask_head,
    build_text_tower,
    build_towers,
)

__all__ = [
    "DETRIS",
    "ETRIS",
    "SYSTEMS",
    "THRESHOLD",
    "BridgerConfig",
    "BuildInputs",
    "DETRISConfig",
    "ETRISConfig",
    "FirstModel",
    "FirstModelConfig",
    "MaskHeadConfig",
    "MiCA",
    "MiCAConfig",
    "NetworkSystem",
    "PEFTSystem",
    "PEFTSystemConfig",
    "ReleasedCheckpoint",
    "System",
    "SystemPreset",
    "Towers",
    "build_detris",
    "build_etris",
    "build_image_tower",
    "build_mask_head",
    "build_meta_system",
    "build_mica",
    "build_system",
    "build_text_tower",
    "build_towers",
    "convert_released",
    "count_parameters",
    "list_models",
    "list_shipped",
    "load_released",
    "load_system",
    "predict_mask",
    "read_released",
    "register_loss",
    "register_system",
    "save_system",
]
