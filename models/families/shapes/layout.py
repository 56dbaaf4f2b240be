"""Layouts: what a caption leaves open of a scene, as numbers that a seed draws before the keyframes.

The caption prior alone is a mean over all scenes of a caption, and a small denoiser follows it: every seed then gives nearly the
same place and size. So the prior is told a layout too. In training it is that of the clip's scene, but for what the caption
mentions, which is drawn anew: there the words decide. In sampling all of it is drawn.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import torch
from torch import Generator, Tensor

from cascade.models.families.shapes.scene import (
    BACKGROUNDS,
    COLOURS,
    DIRECTIONS,
    MOTIONS,
    RELATIONS,
    SHAPES,
    SHORTEST_TRAVEL,
    SIZES,
    SMALLEST_DISTANCE,
    Scene,
    Second,
    room,
)

VARIABLES = (
    "x",
    "y",
    "travel",
    "near",
    "distance",
    "across",
    "aslant",
    "size",
    "shape",
    "colour",
    "motion",
    "background",
    "second shape",
    "second colour",
    "relation",
)
"""Each is about uniform in [-1, 1] over the scenes that have it. `near` is where the nearer of two shapes is along the axis of their
relation, `across` where both are across it, and `aslant` how far they are apart there."""

SEED_OF_LAYOUTS = 0x1A_7007
"""Keeps a video's layout apart from its noise, which the same seed draws."""


def draw_layouts(seeds: Sequence[int]) -> Tensor:
    """Draw a layout for each video from its own seed: (batch, len(VARIABLES)) in [-1, 1]."""
    return torch.stack([_random(Generator().manual_seed(seed ^ SEED_OF_LAYOUTS)) for seed in seeds])


def layout_of(scene: Scene, mentions: Collection[str], generator: Generator) -> Tensor:
    """Return the layout of a scene, of shape (count,), in [-1, 1]; what it lacks or the caption mentions is drawn."""
    layout = (_random(generator) + 1) / 2
    jitter = torch.rand(len(VARIABLES), generator=generator)
    values = {"size": _share(scene.size, tuple(SIZES)), "shape": _share(scene.shape, SHAPES)}
    values |= {"colour": _share(scene.colour, tuple(COLOURS))}
    values |= {"background": _share(scene.background, tuple(BACKGROUNDS))}
    steps = {name: 1 / count for name, count in CHOICES.items()}
    if scene.second is None:
        values |= {"motion": _share(scene.motion, MOTIONS), **_place(scene)}
    else:
        values.pop("size")
        values |= {
            "second shape": _share(scene.second.shape, SHAPES),
            "second colour": _share(scene.second.colour, tuple(COLOURS)),
            "relation": _share(scene.second.relation, RELATIONS),
            **_places(scene, scene.second),
        }
    for number, name in enumerate(VARIABLES):
        if name in values and name not in mentions:
            layout[number] = values[name] + jitter[number] * steps.get(name, 0.0)
    return 2 * layout.clamp(0, 1) - 1


CHOICES = {
    "size": len(SIZES),
    "shape": len(SHAPES),
    "colour": len(COLOURS),
    "motion": len(MOTIONS),
    "background": len(BACKGROUNDS),
    "second shape": len(SHAPES),
    "second colour": len(COLOURS),
    "relation": len(RELATIONS),
}


def _random(generator: Generator) -> Tensor:
    """Draw a layout, of shape (count,) for as many VARIABLES, in [-1, 1]."""
    return 2 * torch.rand(len(VARIABLES), generator=generator) - 1


def _share(choice: str, choices: tuple[str, ...]) -> float:
    """Return where the span of a choice begins, if [0, 1] is shared evenly."""
    return choices.index(choice) / len(choices)


def _place(scene: Scene) -> dict[str, float]:
    """Undo what `scene.random_scene` does to three uniform numbers: place and travel of one shape."""
    step_x, step_y = DIRECTIONS.get(scene.motion, (0, 0))
    values = {
        "x": _before_squeeze(scene.x, step_x, scene.travel),
        "y": _before_squeeze(scene.y, step_y, scene.travel),
    }
    if scene.motion in DIRECTIONS:
        values["travel"] = _position(scene.travel, SHORTEST_TRAVEL / room(1, SIZES[scene.size]), 1)
    return values


def _before_squeeze(start: float, step: int, travel: float) -> float:
    if step == 0:
        return start
    return (start if step > 0 else start - travel) / max(1 - travel, 1e-3)


def _places(scene: Scene, second: Second) -> dict[str, float]:
    """Undo what `scene.random_scene` does to the places of two shapes."""
    first, other = (scene.x, scene.y), (second.x, second.y)
    axis = 1 if second.relation in ("above", "below") else 0
    near, far = sorted((first[axis], other[axis]))
    distance = far - near
    return {
        "near": near / max(1 - distance, 1e-3),
        "distance": _position(distance, SMALLEST_DISTANCE / room(1, SIZES["small"]), 1),
        "across": 0.5 + ((first[1 - axis] + other[1 - axis]) / 2 - 0.5) / 0.9,
        "aslant": 0.5 + (first[1 - axis] - other[1 - axis]) / 0.4,
    }


def _position(value: float, lowest: float, highest: float) -> float:
    return (value - lowest) / (highest - lowest)
