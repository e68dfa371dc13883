"""ETRIS (Xu et al., 2023): its composition, its presets, and the names of the released code.

- `etris_system`: the configuration, the system, and the function that builds it;
- `etris_presets`: the named configurations;
- `rename_etris`: the entries of a released checkpoint by our names.
"""

from risbook.systems.etris.etris_system import ETRIS, ETRISConfig, build_etris

__all__ = ["ETRIS", "ETRISConfig", "build_etris"]
