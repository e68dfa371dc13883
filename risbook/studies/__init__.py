"""Studies: comparisons of many runs under one budget, each by one command that can be resumed."""

from risbook.studies.definitions import STUDIES
from risbook.studies.run_study import run_study
from risbook.studies.study import Run, Study

__all__ = ["STUDIES", "Run", "Study", "run_study"]
