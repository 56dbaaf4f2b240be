"""Training in several processes, as `torchrun` starts them: here two on the CPU, over gloo."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import cast

import pytest
from torch import Tensor
from torch.nn.utils import parameters_to_vector

from cascade.models.checkpoints.files import read_weights
from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.families.shapes.random_checkpoints import create_random_shapes
from cascade.models.families.shapes.recipes import RECIPES
from cascade.models.families.shapes.training import SmallInterpolationTraining
from cascade.models.presets.shapes import SHAPES
from cascade.models.presets.show1 import InterpolationOptions
from cascade.models.presets.spec import StageSpec

SCRIPT = """
import sys
from dataclasses import replace
from pathlib import Path

from cascade.models.families.shapes import recipes
from cascade.models.train import TrainingRun
from cascade.models.training.recipe import Phase

folder, accumulation = Path(sys.argv[1]), int(sys.argv[2])
recipes.RECIPES = {
    "shapes": {
        name: replace(recipe, phases=(Phase(2, 2),), warmup=1, accumulation=accumulation)
        for name, recipe in recipes.RECIPES["shapes"].items()
        if name in ("keyframes", "interpolation")
    }
}
run = TrainingRun("shapes", folder, folder / "checkpoints")
for stage in ("keyframes", "interpolation"):
    assert run.train(stage, lambda progress: None).finished
"""


def train(folder: Path, accumulation: int, *launcher: str) -> None:
    script = folder.with_suffix(".py")
    script.write_text(SCRIPT)
    subprocess.run(
        [sys.executable, *launcher, str(script), str(folder), str(accumulation)],
        env=os.environ | {"PYTHONPATH": str(Path.cwd()), "OMP_NUM_THREADS": "1"},
        check=True,
        timeout=500,
    )


@pytest.mark.slow
def test_two_processes_learn_what_one_learns_from_twice_as_many_batches(tmp_path: Path) -> None:
    """Every stage begins with what the one before installed, so a process that is early would fail or differ."""
    train(tmp_path / "two", 1, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2")
    train(tmp_path / "one", 2)
    create_random_shapes(tmp_path / "start")
    keyframes, interpolation = (
        [weights(tmp_path / name / "checkpoints" / "shapes" / stage) for name in ("one", "two")]
        for stage in ("keyframes", "interpolation")
    )
    agree(*keyframes, start=weights(tmp_path / "start" / "shapes" / "keyframes"))
    spec = cast("StageSpec[InterpolationOptions]", SHAPES.stage("interpolation"))
    recipe = RECIPES["shapes"]["interpolation"]
    untrained = SmallInterpolationTraining.load(spec, recipe, Checkpoints(tmp_path / "start"), SHAPES)
    untrained.start_from(keyframes[0])
    agree(*interpolation, start=untrained.unet.state_dict())


def weights(checkpoint: Path) -> dict[str, Tensor]:
    return read_weights(checkpoint / "unet")


def agree(one: dict[str, Tensor], two: dict[str, Tensor], *, start: dict[str, Tensor]) -> None:
    """What two runs learned differs by less than a hundredth of what they learned."""
    first, second, before = (
        parameters_to_vector([tensors[name].float() for name in sorted(start)])
        for tensors in (one, two, start)
    )
    assert (first - before).norm() > 0
    assert (first - second).norm() < 0.01 * (first - before).norm()
