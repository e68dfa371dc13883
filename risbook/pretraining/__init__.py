"""Pretraining: the recipes of the small towers, and their scores."""

from risbook.pretraining.recipe_run import run_recipe
from risbook.pretraining.recipes import RECIPES, Recipe

__all__ = ["RECIPES", "Recipe", "run_recipe"]
