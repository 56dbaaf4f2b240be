"""How the toy's one trained part is trained."""

from __future__ import annotations

from cascade.models.training.recipe import Phase, Recipe

RECIPES = {"toy": {"sketch": Recipe(phases=(Phase(30, 4, learning_rate=1e-2),), warmup=1, ema_decay=0.5)}}
