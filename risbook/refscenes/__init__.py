"""RefScenes: a drawn world whose pictures, masks and expressions are made by the package.

Names are loaded when they are asked for, so importing this package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from risbook.refscenes.captions import caption
    from risbook.refscenes.expression_generator import ANNOTATION_STYLES, ExpressionGenerator
    from risbook.refscenes.polygons import segmentation
    from risbook.refscenes.scene_renderer import RenderedScene, render_scene
    from risbook.refscenes.scene_sampler import sample_scene
    from risbook.refscenes.scene_types import Scene, SceneObject, VisibleObject
    from risbook.refscenes.semantics import Description, Interpreter
    from risbook.refscenes.sets import (
        FAMILIES,
        SAMPLE,
        STANDARD,
        TINY,
        AnnotatedScene,
        WorldSize,
        generate_scene,
    )
    from risbook.refscenes.write import make_world, sample_folder, world_folder

__all__ = [
    "ANNOTATION_STYLES",
    "FAMILIES",
    "SAMPLE",
    "STANDARD",
    "TINY",
    "AnnotatedScene",
    "Description",
    "ExpressionGenerator",
    "Interpreter",
    "RenderedScene",
    "Scene",
    "SceneObject",
    "VisibleObject",
    "WorldSize",
    "caption",
    "generate_scene",
    "make_world",
    "render_scene",
    "sample_folder",
    "sample_scene",
    "segmentation",
    "world_folder",
]

_HOMES = {
    "captions": ("caption",),
    "scene_types": ("Scene", "VisibleObject", "SceneObject"),
    "semantics": ("Description", "Interpreter"),
    "scene_renderer": ("RenderedScene", "render_scene"),
    "scene_sampler": ("sample_scene",),
    "polygons": ("segmentation",),
    "expression_generator": ("ANNOTATION_STYLES", "ExpressionGenerator"),
    "sets": (
        "FAMILIES",
        "SAMPLE",
        "STANDARD",
        "TINY",
        "AnnotatedScene",
        "WorldSize",
        "generate_scene",
    ),
    "write": ("make_world", "sample_folder", "world_folder"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Load a public name from the module that defines it."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
