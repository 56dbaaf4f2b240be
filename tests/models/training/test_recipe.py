"""Recipes: the learning rate of a step, and sums over the phases."""

from __future__ import annotations

import pytest

from cascade.models.training.recipe import Phase, Recipe


def test_the_learning_rate_rises_stays_and_falls() -> None:
    phase = Phase(10, 1, learning_rate=0.4, cooldown=4)
    rates = [phase.learning_rate_at(step, warmup=4) for step in range(10)]
    # Rising by quarters; level while more than four steps are left; then the share of four steps that is left.
    assert rates == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.4, 0.4, 0.4, 0.3, 0.2, 0.1])


def test_a_phase_without_cooldown_keeps_its_learning_rate() -> None:
    assert Phase(10, 1, learning_rate=0.4).learning_rate_at(9, warmup=1) == 0.4


def test_a_recipe_has_the_steps_of_all_phases_and_trains_text_if_one_does() -> None:
    recipe = Recipe(phases=(Phase(3, 1, train_text=True), Phase(4, 1)))
    assert recipe.steps == 7
    assert recipe.train_text
    assert not Recipe(phases=recipe.phases[1:]).train_text
