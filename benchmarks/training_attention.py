"""How much a training step on a CPU gains by plain attention over the fused kernel, whose backward pass is slow.

    python benchmarks/training_attention.py

Steps of two stages of `shapes`, with one kind of attention and the other in turn, in one process.
"""

from __future__ import annotations

import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import torch
from torch.nn import functional

from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.families.shapes.moving_shapes import training_clips
from cascade.models.families.shapes.random_checkpoints import create_random_shapes
from cascade.models.families.shapes.recipes import RECIPES
from cascade.models.layers import attention
from cascade.models.presets.shapes import SHAPES
from cascade.models.train import training_of
from cascade.models.training.batch import Batches, seeded

TURNS = 8
STAGES = ("keyframes", "super-resolution")
KINDS = {"fused": functional.scaled_dot_product_attention, "plain": attention.plain_attention}


def main() -> None:
    """Print a line for each stage."""
    with TemporaryDirectory() as folder:
        create_random_shapes(Path(folder))
        for stage in STAGES:
            seconds = seconds_per_step(stage, Checkpoints(Path(folder)))
            fused, plain = seconds["fused"], seconds["plain"]
            print(f"{stage}: fused {fused:.2f} s, plain {plain:.2f} s a step, {fused / plain:.2f} times")


def seconds_per_step(stage: str, checkpoints: Checkpoints) -> dict[str, float]:
    """Return the median seconds of a step in the last phase of a stage's recipe, in bf16, by kind of attention."""
    spec, kind = training_of(SHAPES, stage)
    recipe = RECIPES[SHAPES.name][stage]
    training, phase = kind.load(spec, recipe, checkpoints, SHAPES), recipe.phases[-1]
    training.select(phase)
    clips = training_clips(training.frames or spec.frames, spec.height, spec.width, 0)
    batch = Batches(clips, training.clips_per_step(phase), training.crop(phase), 0)[0]
    seconds: dict[str, list[float]] = {name: [] for name in KINDS}
    for turn in range(TURNS):
        for name, mix in KINDS.items():
            attention.plain_attention = mix
            started = time.monotonic()
            with torch.autocast("cpu", torch.bfloat16):
                loss = training(batch, phase, seeded(0, turn, "loss"))
            loss.backward()
            training.zero_grad()
            seconds[name].append(time.monotonic() - started)
    return {name: median(each[1:]) for name, each in seconds.items()}  # the first step warms up


if __name__ == "__main__":
    main()
