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
from cascade.models.families.shapes.moving_shapes import MovingShapes
from cascade.models.families.shapes.random_checkpoints import create_random_shapes
from cascade.models.families.show1.training import TRAININGS
from cascade.models.layers import attention
from cascade.models.presets.table import get_preset
from cascade.models.training.batch import Batches, seeded
from cascade.models.training.recipe import RECIPES

TURNS = 8
KINDS = {"fused": functional.scaled_dot_product_attention, "plain": attention.plain_attention}


def seconds_per_step(stage: str, checkpoints: Checkpoints) -> dict[str, float]:
    """The median step of the last phase of a stage's recipe, in bf16, with each kind of attention."""
    kind, training = TRAININGS[stage]
    spec, recipe = get_preset("shapes").stage(kind), RECIPES["shapes"][stage]
    learning, phase = training.load(spec, recipe, checkpoints), recipe.phases[-1]
    learning.select(phase)
    clips = MovingShapes("train", learning.frames or spec.frames, spec.height, spec.width, 0)
    batch = Batches(clips, phase.batch_size, phase.crop, 0)[0]
    seconds: dict[str, list[float]] = {name: [] for name in KINDS}
    for turn in range(TURNS):
        for name, mix in KINDS.items():
            attention.plain_attention = mix
            started = time.monotonic()
            with torch.autocast("cpu", torch.bfloat16):
                loss = learning(batch, phase, seeded(0, turn, "loss"))
            loss.backward()
            learning.zero_grad()
            seconds[name].append(time.monotonic() - started)
    return {name: median(each[1:]) for name, each in seconds.items()}


def main() -> None:
    with TemporaryDirectory() as folder:
        create_random_shapes(Path(folder))
        for stage in ("keyframes", "super-resolution"):
            taken = seconds_per_step(stage, Checkpoints(Path(folder)))
            ratio = taken["fused"] / taken["plain"]
            print(
                f"{stage}: fused {taken['fused']:.2f} s, plain {taken['plain']:.2f} s a step, {ratio:.2f} times"
            )


if __name__ == "__main__":
    main()
