"""Teaching: checkers for the exercises, tables of text, and two measures of the chapters."""

from risbook.teaching.coarse_masks import coarsen
from risbook.teaching.exercises import check, check_solution, check_value, compare_prediction
from risbook.teaching.standard_error import mean_and_error
from risbook.teaching.text_table import print_table

__all__ = [
    "check",
    "check_solution",
    "check_value",
    "coarsen",
    "compare_prediction",
    "mean_and_error",
    "print_table",
]
