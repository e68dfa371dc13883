"""Pretraining: how the small towers came to be, and what they are worth."""

from risbook.pretraining.recipe_run import run_recipe
from risbook.pretraining.recipes import RECIPES, SETS, Recipe

__all__ = ["RECIPES", "SETS", "Recipe", "run_recipe"]
