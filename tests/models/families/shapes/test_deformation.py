"""Deformed clips, and the image model that upscales the first frame."""

from __future__ import annotations

from pathlib import Path

import torch

from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.families.shapes.deformation import deform
from cascade.models.families.shapes.drawing import render
from cascade.models.families.shapes.image_unet import ShapesImageUNet
from cascade.models.families.shapes.scene import Scene
from cascade.models.runtime.execution import Execution

STILL = Scene("circle", "red", "gray", "large", "standing still", 0.5, 0.5)


def clips(count: int, frames: int = 8) -> torch.Tensor:
    return render(STILL, frames, 20, 32).expand(count, -1, -1, -1, -1)


def test_outlines_bulge_and_the_rest_stays() -> None:
    """A pixel that is moved in a plain area looks the same; at the outline it does not."""
    true = clips(16)
    difference = (deform(true, torch.Generator().manual_seed(0)) - true).abs().amax(dim=2)  # b f h w
    at_rest = difference[:, :, :2].max(), difference[:, :, 9:11, 15:17].max()
    assert max(at_rest) < 0.02
    assert (difference.amax(dim=(1, 2, 3)) > 0.05).float().mean() > 0.5


def test_a_shape_stays_where_it_is_on_average() -> None:
    true = clips(64)
    moved = deform(true, torch.Generator().manual_seed(1))
    assert (moved.mean(dim=(0, 1)) - true.mean(dim=(0, 1))).abs().max() < 0.12
    area = (moved - true).mean(dim=(2, 3, 4))
    assert area.mean().abs() < 0.005


def test_each_keyframe_is_deformed_in_a_way_of_its_own_and_those_between_are_blends() -> None:
    """Displacements of frames that are neighbours are more alike than those of frames five apart."""
    deformed = deform(clips(64, 9), torch.Generator().manual_seed(2))
    near = (deformed[:, 1:] - deformed[:, :-1]).square().mean()
    far = (deformed[:, 5:] - deformed[:, :-5]).square().mean()
    assert far > 4 * near


def test_the_same_generator_deforms_alike() -> None:
    first, second = (deform(clips(2), torch.Generator().manual_seed(3)) for _ in range(2))
    torch.testing.assert_close(first, second, rtol=0, atol=0)


def test_the_untrained_image_model_keeps_its_condition(shapes_checkpoints: Path) -> None:
    """Its last convolution begins as zeros, and what it predicts is a difference."""
    network = Checkpoints(shapes_checkpoints).network(
        "shapes/first-frame", ShapesImageUNet, Execution(device="cpu")
    )
    inputs = torch.randn(2, 6, 1, 80, 128)
    with torch.inference_mode():
        clean = network(inputs, 999, torch.randn(2, 8, 64), torch.zeros(2))
    torch.testing.assert_close(clean, inputs[:, 3:])
