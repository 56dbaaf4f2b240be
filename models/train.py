"""Train: a part of a preset, by its recipe, from the checkpoints of a folder. In several processes: torchrun."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from accelerate import PartialState

from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.errors import TrainingError, VideoFileError
from cascade.models.families.family import Family
from cascade.models.families.registry import family_of, stage_entry
from cascade.models.presets.spec import AnyStageSpec, Preset
from cascade.models.presets.table import get_preset
from cascade.models.training.batch import CaptionedClip, Clips
from cascade.models.training.list_check import ListCheck
from cascade.models.training.listing import Columns
from cascade.models.training.loop import Training, training_processes
from cascade.models.training.parts import motion_stage, recipe_of
from cascade.models.training.parts import trainable_parts as trainable_parts
from cascade.models.training.progress import Progress, Rhythm
from cascade.models.training.stage_training import AnyStageTraining
from cascade.models.training.video_files import VideoFiles
from cascade.models.training.video_reading import read_clip


def training_of(cascade: Preset, part: str) -> tuple[AnyStageSpec, type[AnyStageTraining]]:
    """Return the stage that a part belongs to, and the training of the part.

    Raises:
        TrainingError: no stage of the preset has such a part, or it is not trained here.
    """
    for spec in cascade.stages:
        family, entry = stage_entry(type(spec.options))
        reference = entry.training if spec.name == part else entry.parts.get(part)
        if reference is not None:
            return spec, family.part(reference)
    raise TrainingError(f'there is no training of "{part}" of preset "{cascade.name}"')


@dataclass(frozen=True)
class Outcome:
    """The result of training a part: finished or not, and the video files that could not be used."""

    finished: bool
    skipped: frozenset[Path]


@dataclass(frozen=True)
class TrainingRun:
    """Settings that all parts of a run share.

    Attributes:
        output: folder of the runs, one a part.
        checkpoints: folder of the checkpoints to start from; trained ones take their place there.
        data: a list of video files and captions; None takes the preset's own clips.
        stride: of video files, at the frame rate of the last stage: keep every n-th frame. Stages at a lower rate keep
            fewer of them.
        seed: fixes the whole run.
        precision, workers, rhythm: as in `Training`.
        fps: of video files, at the frame rate of the last stage: frames a second of their own time, instead of the stride.
        columns: of the list.
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
    fps: float | None = None
    columns: Columns = field(default_factory=Columns)

    def train(self, part: str, report: Callable[[Progress], None], steps: int | None = None) -> Outcome:
        """Train a part to the end of its recipe, or for `steps` more.

        Raises:
            InvalidParameter: there is no such preset.
            TrainingError: there is no recipe for the part, there are no clips, not all of the checkpoints are in the folder,
                or the output folder holds another run.
            CheckpointError: a checkpoint is missing or does not fit.
            VideoFileError: the list of video files is wrong.
            OutputError: the output folder cannot be written to, or its disk has no room.
            TrainingStopped: Ctrl-C or SIGTERM came, and the state is saved.
        """
        processes = training_processes()
        cascade, recipe = get_preset(self.preset), recipe_of(self.preset, part)
        spec, training = training_of(cascade, part)
        family, checkpoints = family_of(self.preset), Checkpoints(self.checkpoints)
        clips = self._videos(part) or self._own_clips(family, spec, training.frames or spec.frames)
        self._create_checkpoints(family, cascade, processes)
        stage = training.load(spec, recipe, checkpoints, cascade)
        source = checkpoints.path(stage.checkpoint)
        run = Training(
            stage=stage,
            clips=clips,
            folder=self.output / part,
            source=source,
            seed=self.seed,
            precision=self.precision,
            workers=self.workers,
            rhythm=self.rhythm,
        )
        finished = run.run(report, steps)
        if finished and processes.is_main_process:
            self._install(run.folder / "checkpoint", source)
        processes.wait_for_everyone()
        return Outcome(finished, frozenset(run.skipped))

    def _create_checkpoints(self, family: Family, cascade: Preset, processes: PartialState) -> None:
        """Let a family that trains from nothing create its untrained checkpoints, unless there are some."""
        if family.initial_checkpoints is None:
            return
        with processes.main_process_first():
            family.part(family.initial_checkpoints)(self.checkpoints)
        lacking = [
            spec.checkpoint for spec in cascade.stages if not (self.checkpoints / spec.checkpoint).is_dir()
        ]
        if lacking:  # it would silently be taken from the shipped weights
            raise TrainingError(
                f"{self.checkpoints} lacks {', '.join(lacking)}: put it there to go on from it, or choose a folder without "
                "any of the preset's checkpoints to begin from nothing"
            )

    def check_videos(self, part: str) -> ListCheck | None:
        """Find out which video files a part can use, before it is trained; None where there is no list.

        Raises:
            InvalidParameter, TrainingError: as `train` does.
            VideoFileError: the list is wrong, or none of its videos can be used.
        """
        recipe_of(self.preset, part)
        videos = self._videos(part)
        if videos is None:
            return None
        check = videos.check()
        if not check.usable:
            path, reason = next(iter(check.unusable.items()))
            raise VideoFileError(
                f"no video of {self.data} can be used for {part}; of {len(check.unusable)} the first is {path}, which {reason}"
            )
        return check

    def _videos(self, part: str) -> VideoFiles | None:
        """Return the listed clips: they take as long as the stage's own do, whatever its frame rate."""
        if self.data is None:
            return None
        cascade = get_preset(self.preset)
        spec, training = training_of(cascade, part)
        full_rate = cascade.stages[-1].fps
        return VideoFiles(
            listing=self.data,
            frames=training.frames or spec.frames,
            height=spec.height,
            width=spec.width,
            seed=self.seed,
            stride=self.stride * max(1, full_rate // spec.fps),
            fps=None if self.fps is None else self.fps * min(1.0, spec.fps / full_rate),
            columns=self.columns,
        )

    def _own_clips(self, family: Family, spec: AnyStageSpec, frames: int) -> Clips:
        if family.clips is None:
            raise TrainingError(
                f'preset "{self.preset}" has no clips of its own to learn from; name a list of video files with --data'
            )
        clips: Clips = family.part(family.clips)(frames, spec.height, spec.width, self.seed)
        return clips

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


def train_motion_from_video(
    video: Path,
    caption: str,
    preset: str,
    stride: int,
    checkpoints: Path,
    scratch: Path,
    report: Callable[[Progress], None],
    steps: int | None = None,
    fps: float | None = None,
) -> bytes:
    """Make a motion adapter of a preset whose videos move as a video file does.

    Args:
        caption: what the video shows, but not how it moves.
        stride: keep every n-th frame of the file.
        checkpoints: folder of the checkpoints.
        scratch: an empty folder.
        steps: None takes the recipe's.
        fps: frames a second of the file's time, instead of the stride.
    Returns:
        The adapter, as safetensors.
    Raises:
        InvalidParameter: there is no such preset.
        TrainingError: the preset takes no motions.
        VideoFileError: the video cannot be read or is too short.
        CheckpointError: a checkpoint is missing or does not fit.
    """
    spec, family = motion_stage(preset), family_of(preset)
    assert family.train_motion is not None
    frames = read_clip(video, spec.frames, spec.height, spec.width, stride, fps=fps)
    clip, folder = CaptionedClip(frames, caption), Checkpoints(checkpoints)
    adapter: bytes = family.part(family.train_motion)(spec, folder, clip, scratch, report, steps)
    return adapter
