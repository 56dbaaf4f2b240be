"""Distances of what seeds choose from what the data hold, by arithmetic."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cascade.models.evaluation.diversity import distances_to_data, draw_spread, wasserstein


def test_the_wasserstein_distance_is_the_mean_way_between_distributions() -> None:
    assert wasserstein(np.array([0.0, 1.0]), np.array([1.5, 0.5])) == pytest.approx(0.5)
    # Half of the mass has to go from 0 to 1.
    assert wasserstein(np.array([0.0]), np.array([0.0, 1.0])) == pytest.approx(0.5)
    assert wasserstein(np.array([2.0, 1.0, 1.0]), np.array([1.0, 2.0, 1.0])) == 0


def test_what_always_starts_at_one_place_is_told_from_what_starts_anywhere() -> None:
    """Values evenly over 0 to 1 are 1/4 from 1/2 on average."""
    fixed = {row[1]: row[2] for row in distances_to_data(_records(lambda _: 0.5))}
    assert fixed["distance of x (stage)"].value == pytest.approx(0.25, abs=0.01)
    assert fixed["spread of x (stage)"].value == pytest.approx(0, abs=1e-6)
    # As a sample of the data has some distance from the rest, so has one of a perfect model.
    anywhere = {row[1]: row[2] for row in distances_to_data(_records(lambda rng: rng.random()))}
    assert anywhere["distance of x (stage)"].value < 0.1 < fixed["distance of x (stage)"].low
    data = anywhere["distance of x (data)"]
    assert data.low < anywhere["distance of x (stage)"].value < data.high + 0.05
    assert anywhere["spread of x (stage)"].low < 1 < anywhere["spread of x (stage)"].high
    assert anywhere["distance of x (stage)"].count == 60


def test_clips_that_show_nothing_are_left_out_and_the_picture_is_drawn() -> None:
    records = _records(lambda rng: rng.random())
    records[0]["spreads"]["first"]["generated"] = {}
    (row, *_) = distances_to_data(records)
    assert row[2].count == 59
    assert len(draw_spread(records).axes) == 2
    for record in records:
        record["spreads"]["first"]["generated"] = {}
    assert list(distances_to_data(records)) == []


def _records(choose: Any) -> list[dict[str, Any]]:
    """Make 30 clips of each of two prompts, and ten drawn scenes for each, evenly over 0 to 1."""
    rng = np.random.default_rng(0)
    return [
        {
            "kind": "spread",
            "split": f"spread/{prompt}",
            "prompt": "a prompt",
            "spreads": {
                "first": {"generated": {"x": choose(rng)}, "data": [{"x": rng.random()} for _ in range(10)]}
            },
        }
        for prompt in range(2)
        for _ in range(30)
    ]
