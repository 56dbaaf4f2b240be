"""Recipes of the published cascade (Show-1, section 4.1)."""

from __future__ import annotations

from collections.abc import Mapping

from cascade.models.training.recipe import Phase, Recipe

# Figure 5 keeps spatial layers fixed. Here that is so for keyframes; the stages behind them have further input
# channels, which the spatial layers must learn to use, and train all layers slowly.
RECIPES: Mapping[str, Mapping[str, Recipe]] = {
    "show-1": {
        "keyframes": Recipe(phases=(Phase(100_000, 4, "temporal", learning_rate=1e-4),)),
        "interpolation": Recipe(phases=(Phase(50_000, 4, learning_rate=1e-5),)),
        "super-resolution": Recipe(phases=(Phase(50_000, 1, learning_rate=1e-5),)),
        "autoencoder": Recipe(phases=(Phase(50_000, 4, learning_rate=1e-5),)),
        "expert-translation": Recipe(phases=(Phase(50_000, 1, learning_rate=1e-5),), max_timestep=900),
    },
}
"""By preset, then by trained part, in the order in which they are trained."""
