"""Teaching: checkers for the exercises, and tables of text."""

from risbook.teaching.exercises import check, check_solution, check_value, compare_prediction
from risbook.teaching.text_table import print_table

__all__ = ["check", "check_solution", "check_value", "compare_prediction", "print_table"]
