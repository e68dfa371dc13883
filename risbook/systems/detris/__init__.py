"""DETRIS (Huang et al., 2025): its composition, its presets, and the names of the released code.

- `detris_system`: the configuration, the system, and the function that builds it;
- `detris_presets`: the named configurations;
- `rename_detris`: the entries of a released checkpoint by our names.
"""

from risbook.systems.detris.detris_system import DETRIS, DETRISConfig, build_detris

__all__ = ["DETRIS", "DETRISConfig", "build_detris"]
