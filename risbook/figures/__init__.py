"""Figures: masks and heatmaps over images, curves, diagrams, and controls for live notebooks.

matplotlib is imported when the first figure is drawn, never before.
"""

from risbook.attribute_hints import lazy_attributes
from risbook.figures.curves import plot_log, smooth
from risbook.figures.diagrams import list_diagrams, show_diagram
from risbook.figures.feature_maps import heatmap_panels, pca_colours, show_heatmap, show_matrix
from risbook.figures.interactive import FrameSlider
from risbook.figures.label_gains import show_label_gains, show_label_scores
from risbook.figures.label_maps import show_label_map, write_numbers
from risbook.figures.method_gains import show_method_gains
from risbook.figures.number_grids import show_number_grids
from risbook.figures.overlays import show_referring, wrap_title
from risbook.figures.paint import paint_mask
from risbook.figures.palette import CYCLE, ROLES, rgba, use_style
from risbook.figures.panels import compare_masks, show_panels
from risbook.figures.predictions import show_predictions
from risbook.figures.seeds import show_seeds
from risbook.figures.sentence_box import SentenceBox
from risbook.figures.threshold_slider import threshold_slider

__all__ = [
    "CYCLE",
    "ROLES",
    "FrameSlider",
    "SentenceBox",
    "compare_masks",
    "heatmap_panels",
    "list_diagrams",
    "paint_mask",
    "pca_colours",
    "plot_log",
    "rgba",
    "show_diagram",
    "show_heatmap",
    "show_label_gains",
    "show_label_map",
    "show_label_scores",
    "show_matrix",
    "show_method_gains",
    "show_number_grids",
    "show_panels",
    "show_predictions",
    "show_referring",
    "show_seeds",
    "smooth",
    "threshold_slider",
    "use_style",
    "wrap_title",
    "write_numbers",
]

__getattr__ = lazy_attributes(
    "risbook.figures",
    {},
    dict.fromkeys(
        ("overlay", "overlay_mask", "show", "show_mask", "plot_mask", "draw_mask", "visualize"),
        "risbook.figures.show_referring(image, prediction=mask, title=sentence)",
    )
    | dict.fromkeys(
        ("plot", "plot_history", "plot_loss", "show_history", "show_log"),
        "risbook.figures.plot_log(model.history)",
    )
    | dict.fromkeys(
        ("gallery", "show_batch", "show_grid", "show_samples"),
        "risbook.figures.show_predictions(model, data)",
    ),
)
