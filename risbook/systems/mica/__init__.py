"""MiCA (Li et al., 2026): its composition, its presets, and the names of the released code.

- `mica_system`: the configuration, the system, and the function that builds it;
- `mica_presets`: the named configurations;
- `rename_mica`: the entries of a released checkpoint by our names.
"""

from risbook.systems.mica.mica_system import MiCA, MiCAConfig, build_mica

__all__ = ["MiCA", "MiCAConfig", "build_mica"]
