"""Teaching: checkers for the exercises."""

from risbook.teaching.exercises import check, check_value

__all__ = ["check", "check_value"]
