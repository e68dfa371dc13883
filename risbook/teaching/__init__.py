"""Teaching: checkers for the exercises, tables of text, and small measures of the chapters."""

from risbook.teaching.coarse_masks import coarsen
from risbook.teaching.examples import Example, SceneObject, load_examples, load_objects
from risbook.teaching.exercises import check, check_solution, check_value, compare_prediction
from risbook.teaching.sentence_statistics import (
    REAL_SENTENCES,
    SentenceStatistics,
    describe_sentences,
)
from risbook.teaching.standard_error import mean_and_error
from risbook.teaching.text_table import print_table
from risbook.teaching.word_functions import word_functions
from risbook.teaching.word_order import SameWordPair, same_word_pairs, select_object

__all__ = [
    "REAL_SENTENCES",
    "Example",
    "SameWordPair",
    "SceneObject",
    "SentenceStatistics",
    "check",
    "check_solution",
    "check_value",
    "coarsen",
    "compare_prediction",
    "describe_sentences",
    "load_examples",
    "load_objects",
    "mean_and_error",
    "print_table",
    "same_word_pairs",
    "select_object",
    "word_functions",
]
