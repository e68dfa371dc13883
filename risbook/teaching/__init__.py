"""Teaching: checkers for the exercises, tables of text, and small measures of the chapters."""

from risbook.teaching.anchor_pairs import anchor_pairs
from risbook.teaching.anchor_sentences import drop_anchor, names_side, needs_anchor
from risbook.teaching.coarse_masks import coarsen
from risbook.teaching.examples import Example, SceneObject, load_examples, load_objects
from risbook.teaching.exercises import check, check_solution, check_value, compare_prediction
from risbook.teaching.expression_kinds import ExpressionKinds, find_kinds
from risbook.teaching.outcomes import Outcome, collect_outcomes, iou_with_objects
from risbook.teaching.sentence_statistics import (
    REAL_SENTENCES,
    SentenceStatistics,
    describe_sentences,
)
from risbook.teaching.standard_error import mean_and_error
from risbook.teaching.text_table import print_table
from risbook.teaching.word_functions import word_functions
from risbook.teaching.word_order import (
    SameWordPair,
    count_selected_pairs,
    same_word_pairs,
    select_object,
)

__all__ = [
    "REAL_SENTENCES",
    "Example",
    "ExpressionKinds",
    "Outcome",
    "SameWordPair",
    "SceneObject",
    "SentenceStatistics",
    "anchor_pairs",
    "check",
    "check_solution",
    "check_value",
    "coarsen",
    "collect_outcomes",
    "compare_prediction",
    "count_selected_pairs",
    "describe_sentences",
    "drop_anchor",
    "find_kinds",
    "iou_with_objects",
    "load_examples",
    "load_objects",
    "mean_and_error",
    "names_side",
    "needs_anchor",
    "print_table",
    "same_word_pairs",
    "select_object",
    "word_functions",
]
