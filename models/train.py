"""Training in this process: what `cascade train` does. Imports torch."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from accelerate import PartialState

from cascade.models.checkpoints.files import read_weights
from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.families.shapes.moving_shapes import MovingShapes
from cascade.models.families.shapes.random_checkpoints import create_random_shapes
from cascade.models.families.show1.motion_training import OneVideo, train_motion
from cascade.models.families.show1.training import TRAININGS, InterpolationTraining
from cascade.models.presets.table import Preset, StageKind, StageSpec, get_preset
from cascade.models.training.loop import Progress, Rhythm, Training, training_processes
from cascade.models.training.recipe import RECIPES
from cascade.models.training.video_files import VideoFiles, read_clip
from cascade.workers.settings import get_settings


@dataclass(frozen=True)
class Outcome:
    """Whether a stage is at the end of its recipe, and the video files that could not be used."""

    finished: bool
    skipped: frozenset[Path]


@dataclass(frozen=True)
class TrainingRun:
    """What all stages of a run share.

    Attributes:
        data: a list of video files and captions; None draws moving shapes.
        stride: of video files, at the frame rate of the last stage: take every so many frames. Stages at a lower rate
            take fewer of them.
        checkpoints: folder of the checkpoints to start from; trained ones take their place there.
        output: folder of the runs, one a stage.
    """

    preset: str
    output: Path
    checkpoints: Path
    data: Path | None = None
    stride: int = 1
    seed: int = 0
    precision: str = "no"
    workers: int = 0
    rhythm: Rhythm = field(default_factory=Rhythm)

    def train(self, stage: str, report: Callable[[Progress], None], steps: int | None = None) -> Outcome:
        """Train a stage to the end of its recipe, or for `steps` more.

        Raises:
            ValueError: there is no such stage, no recipe for the preset, or not all of its checkpoints in the folder.
            InvalidParameter, CheckpointError: the preset or its checkpoint is not there.
        """
        processes = training_processes()
        training = self._prepare(stage, processes)
        finished = training.run(report, steps)
        if finished and processes.is_main_process:
            assert training.source is not None
            self._install(training.folder / "checkpoint", training.source)
        processes.wait_for_everyone()
        return Outcome(finished, frozenset(training.skipped))

    def _prepare(self, stage: str, processes: PartialState) -> Training:
        if self.preset not in RECIPES:
            raise ValueError(
                f'there is no recipe for preset "{self.preset}"; choose one of {", ".join(RECIPES)}'
            )
        if stage not in TRAININGS:
            raise ValueError(f'there is no training of "{stage}"; choose one of {", ".join(TRAININGS)}')
        kind, training = TRAININGS[stage]
        cascade = get_preset(self.preset)
        spec = cascade.stage(kind)
        if self.preset == "shapes":
            with processes.main_process_first():
                create_random_shapes(self.checkpoints)
            self._refuse_to_mix(cascade)
        found = Checkpoints(self.checkpoints)
        learning = training.load(spec, RECIPES[self.preset][stage], found)
        if isinstance(learning, InterpolationTraining):
            first = cascade.stage(StageKind.KEYFRAMES)
            learning.start_from(read_weights(found.path(first.checkpoint) / "unet"))
        return Training(
            stage=learning,
            clips=self._clips(spec, learning.frames or spec.frames, cascade.stages[-1].fps),
            folder=self.output / stage,
            source=found.path(spec.checkpoint),
            seed=self.seed,
            precision=self.precision,
            workers=self.workers,
            rhythm=self.rhythm,
        )

    def _refuse_to_mix(self, cascade: Preset) -> None:
        """What the folder lacks would silently be taken from the shipped weights."""
        lacking = [
            spec.checkpoint for spec in cascade.stages if not (self.checkpoints / spec.checkpoint).is_dir()
        ]
        if lacking:
            raise ValueError(
                f"{self.checkpoints} lacks {', '.join(lacking)}: put it there to go on from it, or choose a folder without "
                "any of the preset's checkpoints to begin from nothing"
            )

    def _clips(self, spec: StageSpec, frames: int, full_rate: int) -> MovingShapes | VideoFiles:
        """What the stage learns from: clips that take as long as its own do, whatever its frame rate."""
        if self.data is None:
            return MovingShapes("train", frames, spec.height, spec.width, self.seed)
        stride = self.stride * max(1, full_rate // spec.fps)
        return VideoFiles(self.data, frames, spec.height, spec.width, self.seed, stride)

    def _install(self, result: Path, target: Path) -> None:
        """Put a trained checkpoint, as a whole, where the stages behind it, and the workers, look for it."""
        if not target.resolve().is_relative_to(self.checkpoints.resolve()):
            return  # a hub's cache is not ours to change
        fresh, old = (target.with_name(f"{target.name}.{suffix}") for suffix in ("new", "old"))
        for leftover in (fresh, old):
            shutil.rmtree(leftover, ignore_errors=True)
        shutil.copytree(result, fresh)
        target.rename(old)
        fresh.rename(target)
        shutil.rmtree(old)


def motion_from_video(
    video: Path,
    caption: str,
    preset: str,
    stride: int,
    scratch: Path,
    report: Callable[[Progress], None],
    steps: int | None = None,
) -> bytes:
    """An adapter of the preset's keyframes that moves as a video file does.

    Raises:
        ValueError: the video cannot be read or is too short.
        InvalidParameter, CheckpointError: the preset or its checkpoint is not there.
    """
    spec = get_preset(preset).stage(StageKind.KEYFRAMES)
    checkpoints = get_settings().checkpoints_dir
    frames = read_clip(video, spec.frames, spec.height, spec.width, stride)
    return train_motion(spec, Checkpoints(checkpoints), OneVideo(frames, caption), scratch, report, steps)
