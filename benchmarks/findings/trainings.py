"""Trainings of findings: run to the end in a folder that is kept, so that one that was cut goes on."""

from __future__ import annotations

from pathlib import Path

from rich.progress import Progress as ProgressBar

from cascade.models.training.batch import Clips
from cascade.models.training.loop import Training
from cascade.models.training.progress import Rhythm
from cascade.models.training.stage_training import AnyStageTraining

RUNS = Path("runs/findings")
SAVE_EVERY = 100


def run_to_end(name: str, stage: AnyStageTraining, clips: Clips, seed: int = 0) -> None:
    """Train a stage to the end of its recipe; its networks hold the averaged weights then."""
    steps = stage.recipe.steps
    rhythm = Rhythm(save_every=SAVE_EVERY, sample_every=steps + 1)
    run = Training(stage, clips, RUNS / f"{name}-{steps}", None, seed=seed, rhythm=rhythm)
    with ProgressBar() as bar:
        task = bar.add_task(name, total=steps)
        run.run(lambda progress: bar.update(task, completed=progress.step))
    run.take_average()
