"""Systems: two towers, adapters and a decoder, composed and named."""

from risbook.systems.checkpoints import load_system, save_system, shipped
from risbook.systems.etris import ETRIS, ETRISConfig
from risbook.systems.first_model import FirstModel, FirstModelConfig
from risbook.systems.parameters import count_parameters
from risbook.systems.released_etris import convert_released, load_released
from risbook.systems.system import System
from risbook.systems.system_presets import PRESETS, Preset, build_system

__all__ = [
    "ETRIS",
    "PRESETS",
    "ETRISConfig",
    "FirstModel",
    "FirstModelConfig",
    "Preset",
    "System",
    "build_system",
    "convert_released",
    "count_parameters",
    "load_released",
    "load_system",
    "save_system",
    "shipped",
]
