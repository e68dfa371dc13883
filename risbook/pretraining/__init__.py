"""Pretraining: how the small towers came to be, and what they are worth."""

from risbook.pretraining.recipes import RECIPES, SETS, Recipe
from risbook.pretraining.run import run_recipe

__all__ = ["RECIPES", "SETS", "Recipe", "run_recipe"]
