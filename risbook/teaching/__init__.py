"""Teaching: checkers for the exercises."""

from risbook.teaching.exercises import check, check_solution, check_value, compare_prediction

__all__ = ["check", "check_solution", "check_value", "compare_prediction"]
