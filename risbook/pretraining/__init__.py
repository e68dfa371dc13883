"""Pretraining: the recipes of the small towers, and their scores."""

from risbook.pretraining.recipe_run import run_recipe
from risbook.pretraining.recipes import RECIPES, SETS, Recipe

__all__ = ["RECIPES", "SETS", "Recipe", "run_recipe"]
