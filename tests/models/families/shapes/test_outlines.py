"""Outlines of rendered clips, and of clips whose shapes are deformed by known amounts."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from cascade.models.families.shapes.drawing import render
from cascade.models.families.shapes.outlines import measure_outlines, outline_figures
from cascade.models.families.shapes.scene import SHAPES, Scene, random_scene

Array = NDArray[Any]

HEIGHT, WIDTH = 160, 256


@pytest.mark.parametrize(("frames", "height", "width", "count"), [(8, 20, 32, 40), (29, 80, 128, 12)])
def test_rendered_clips_have_clean_and_steady_outlines(
    frames: int, height: int, width: int, count: int
) -> None:
    scenes = [random_scene("train", np.random.default_rng((7, index))) for index in range(count)]
    assert {scene.shape for scene in scenes} == set(SHAPES)
    for scene in scenes:
        figures = outline_figures(render(scene, frames, height, width))
        assert figures["overlap"] > 0.99
        assert figures["boil_worst"] > 0.99
        assert figures["size_residual"] < 0.03
        assert figures["background_flicker"] < 0.01
        assert figures["edge_softness"] == pytest.approx(1, abs=0.15)


def test_the_fit_finds_place_and_size_to_a_part_of_a_pixel() -> None:
    scene = Scene("triangle", "red", "white", "small", "moving right", 0.1, 0.5, 0.7)
    _, (outline,) = measure_outlines(render(scene, 8, HEIGHT, WIDTH))
    room = WIDTH - 2 * HEIGHT * (0.18 + 0.02)
    expected = HEIGHT * 0.2 + room * (0.1 + 0.7 * np.linspace(0, 1, 8))
    assert outline.x == pytest.approx(expected, abs=0.05)
    assert outline.radius == pytest.approx(0.18 * HEIGHT, abs=0.05)


@pytest.mark.parametrize("squareness", [0.0, 0.15, 0.3])
def test_a_circle_between_circle_and_square_overlaps_as_much_as_arithmetic_says(squareness: float) -> None:
    """A square with sides of 2 and corners rounded with radius 1 - s has the area 4 - (4 - pi) (1 - s)²."""
    corner = 1 - squareness
    overlap = outline_figures(clip_of([rounded_square(50, corner)] * 2))["overlap"]
    # The circle of the best radius 1 <= r: where it reaches beyond the sides, it cuts off four segments.
    area = 4 - (4 - math.pi) * corner**2

    def union_share(radius: float) -> float:
        angles = np.linspace(0, 2 * math.pi, 100_001)[:-1]
        side = np.maximum(np.abs(np.cos(angles)), np.abs(np.sin(angles)))
        edge = _edge_of_rounded_square(angles, corner)
        assert np.all(edge >= 1 - 1e-9)
        assert np.all(edge * side <= 1 + 1e-9)
        both = np.square(np.minimum(edge, radius)).mean() * math.pi
        return float(both / (area + math.pi * radius**2 - both))

    best = max(union_share(radius) for radius in np.linspace(1, 1.2, 41))
    assert overlap == pytest.approx(best, abs=0.01)


def test_overlap_and_boil_fall_with_the_deformation() -> None:
    def figures(squareness: float) -> dict[str, float]:
        """Circles that become rounder squares until the last frame."""
        return outline_figures(
            clip_of([rounded_square(40, 1 - squareness * t) for t in np.linspace(0, 1, 8)])
        )

    deformed = [figures(squareness) for squareness in (0, 0.15, 0.3, 0.45)]
    for name in ("overlap", "boil", "boil_worst"):
        values = [one[name] for one in deformed]
        assert values == sorted(values, reverse=True), name
        assert values[0] > 0.98
        assert values[0] - values[-1] > 0.005, name
    assert all(one["boil_worst"] < one["boil"] for one in deformed[1:])


def test_a_blurred_outline_overlaps_less_and_is_softer_but_does_not_boil() -> None:
    sharp = render(Scene("cross", "red", "white", "small", "moving right", 0.0, 0.5, 1.0), 8, HEIGHT, WIDTH)
    blurred = functional.avg_pool2d(sharp, 5, stride=1, padding=2, count_include_pad=False)
    figures = outline_figures(blurred)
    # An edge that falls over w pixels has w / 8 of a pixel on the wrong side, of 8 radii of perimeter: w is 5 instead of
    # 1, and a twentieth of the fall at both ends does not count.
    moved, area = 0.9 * (5 - 1) / 8 * 8 * 28.8, 4 * 28.8**2 * (0.72 - 0.36**2)
    expected = (area - moved) / (area + moved)
    assert figures["overlap_cross"] == figures["overlap"] == pytest.approx(expected, abs=0.02)
    assert figures["edge_softness"] > 2
    assert figures["boil_worst"] > 0.98


def test_breathing_sizes_and_flickering_colours_are_measured() -> None:
    signs = np.array([1, -1] * 4)
    breathing = outline_figures(clip_of([rounded_square(40 + 2 * sign, 1) for sign in signs]))
    # Radii of 42 and 38 alternate around 40: 5 % off a straight line, less the line's own small slope.
    assert breathing["size_residual"] == pytest.approx(0.05, abs=0.003)
    assert breathing["overlap"] > 0.98

    still = render(Scene("square", "red", "gray", "large", "standing still", 0.5, 0.5), 8, 80, 128)
    lit = torch.tensor(signs, dtype=torch.float32)[:, None, None, None] * 5 / 127.5
    flickering = outline_figures(still + lit)
    # Five levels up and five down: ten from frame to frame, but for the line's slope.
    assert flickering["background_flicker"] == pytest.approx(10, abs=0.5)
    assert flickering["colour_flicker"] == pytest.approx(10, abs=0.5)
    assert flickering["overlap"] > 0.98
    drifting = outline_figures(still + torch.linspace(0, 0.1, 8)[:, None, None, None])
    assert drifting["background_flicker"] < 0.01


def test_each_of_two_objects_counts_and_nothing_gives_no_figures() -> None:
    pair = clip_of([rounded_square(30, 1, x=60)] * 8)
    other = clip_of([rounded_square(30, 0.6, x=190)] * 8, colour=(-0.7, -0.5, 0.8))
    both = torch.minimum(pair, other)
    _, outlines = measure_outlines(both)
    overlaps = sorted(float(outline.overlap().mean()) for outline in outlines)
    assert len(overlaps) == 2
    assert overlaps[0] < 0.97 < overlaps[1]
    assert outline_figures(both)["overlap"] == pytest.approx(sum(overlaps) / 2)
    assert outline_figures(torch.zeros(8, 3, 80, 128)) == {}


def test_any_frames_have_finite_figures() -> None:
    generator = torch.Generator().manual_seed(0)
    for width in (32, 128):
        for softness in (1, 5, 9):
            noise = torch.randn(8, 3, width * 5 // 8, width, generator=generator)
            frames = functional.avg_pool2d(noise, softness, stride=1, padding=softness // 2) * softness
            assert all(map(math.isfinite, outline_figures(frames).values()))
    vanishing = clip_of([rounded_square(20, 1), *[np.zeros((HEIGHT, WIDTH))] * 7])
    assert all(
        map(math.isfinite, outline_figures(torch.cat([vanishing[:1]] * 5 + [vanishing[1:4]])).values())
    )


def rounded_square(half: float, corner: float, x: float = 128) -> Array:
    """Draw a square of half a side in pixels, its corners rounded by a part of that: a circle for 1. (height, width)."""
    across = np.abs(np.arange(WIDTH) + 0.5 - x)[None, :]
    down = np.abs(np.arange(HEIGHT) + 0.5 - HEIGHT / 2)[:, None]
    inner = half * (1 - corner)
    beyond = np.hypot(np.maximum(across - inner, 0), np.maximum(down - inner, 0)) - half * corner
    straight = np.maximum(across, down) - half
    distance = np.where((across > inner) & (down > inner), beyond, straight)
    covered: Array = np.clip(0.5 - distance, 0, 1)
    return covered


def _edge_of_rounded_square(angles: Array, corner: float) -> Array:
    """Return the distance of the edge from the centre at angles, for half a side of 1."""
    cosine, sine = np.abs(np.cos(angles)), np.abs(np.sin(angles))
    straight = 1 / np.maximum(cosine, sine)
    inner = 1 - corner
    middle = inner * (cosine + sine)
    rounded = middle + np.sqrt(np.maximum(middle**2 - 2 * inner**2 + corner**2, 0))
    reaches_corner = np.minimum(cosine, sine) * straight > inner
    edge: Array = np.where(reaches_corner, rounded, straight)
    return edge


def clip_of(pictures: list[Array], colour: tuple[float, float, float] = (0.7, -0.7, -0.7)) -> Tensor:
    """Paint coverages (height, width) in a colour on white: (frames, 3, height, width) in [-1, 1]."""
    covered = torch.from_numpy(np.stack(pictures)).float()[:, None]
    white = torch.full((1, 3, 1, 1), 0.92)
    return white + covered * (torch.tensor(colour).view(1, 3, 1, 1) - white)
