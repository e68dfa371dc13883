"""RefScenes: a drawn world whose pictures, masks and expressions are made by the package.

Names are loaded when they are asked for, so importing this package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from risbook.refscenes.captions import caption
    from risbook.refscenes.grammar import Description, View
    from risbook.refscenes.plan import plan_scene
    from risbook.refscenes.polygons import segmentation
    from risbook.refscenes.render import Painted, paint_scene
    from risbook.refscenes.scene_types import Scene, Seen, Thing
    from risbook.refscenes.sets import (
        FAMILIES,
        SAMPLE,
        STANDARD,
        TINY,
        Drawn,
        WorldSize,
        draw,
    )
    from risbook.refscenes.speaking import MANNERS, Teller
    from risbook.refscenes.write import make_world, sample_folder, world_folder

__all__ = [
    "FAMILIES",
    "MANNERS",
    "SAMPLE",
    "STANDARD",
    "TINY",
    "Description",
    "Drawn",
    "Painted",
    "Scene",
    "Seen",
    "Teller",
    "Thing",
    "View",
    "WorldSize",
    "caption",
    "draw",
    "make_world",
    "paint_scene",
    "plan_scene",
    "sample_folder",
    "segmentation",
    "world_folder",
]

_HOMES = {
    "captions": ("caption",),
    "scene_types": ("Scene", "Seen", "Thing"),
    "grammar": ("Description", "View"),
    "render": ("Painted", "paint_scene"),
    "plan": ("plan_scene",),
    "polygons": ("segmentation",),
    "speaking": ("MANNERS", "Teller"),
    "sets": ("FAMILIES", "SAMPLE", "STANDARD", "TINY", "Drawn", "WorldSize", "draw"),
    "write": ("make_world", "sample_folder", "world_folder"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Load a public name from the module that defines it."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
