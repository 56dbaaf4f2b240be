"""Fine-tuning the temporal attention of keyframes on one video (Show-1, section 3.7)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.families.show1.keyframes import Keyframes
from cascade.models.families.show1.motion import is_motion, motion_of, pack_motion
from cascade.models.families.show1.training import KeyframesTraining
from cascade.models.presets.show1 import KeyframesOptions
from cascade.models.presets.spec import AnyStageSpec, StageSpec
from cascade.models.training.batch import TrainingClip
from cascade.models.training.loop import Training
from cascade.models.training.progress import Progress, Rhythm
from cascade.models.training.recipe import Phase, Recipe

RECIPE = Recipe(
    phases=(Phase(200, 4, "temporal", learning_rate=3e-4),),
    high_noise_share=1.0,  # motion is decided there; below, the network would learn the outlines of the one video
    ema_decay=0.95,
    warmup=20,
)


@dataclass(frozen=True, eq=False)
class OneVideo:
    """The same clip and caption for every index; an item of it is itself.

    Attributes:
        frames: float32 (frames, 3, height, width) in [-1, 1].
    """

    frames: Tensor
    caption: str
    skipped: tuple[Path, ...] = ()
    annotation: object | None = None

    def __getitem__(self, index: int, /) -> OneVideo:
        return self


class MotionTraining(KeyframesTraining):
    """Keyframes of which the temporal attention alone learns; the result is an adapter, not a checkpoint."""

    def select(self, _phase: Phase) -> None:
        for name, parameter in self.named_parameters():
            parameter.requires_grad_(is_motion(name))

    @property
    def motion_network(self) -> nn.Module:
        """The network that the stage puts an adapter on."""
        stage = self.stage()
        assert isinstance(stage, Keyframes)
        return stage.motion_network

    def write(self, folder: Path, _dtype: torch.dtype) -> None:
        """Write the adapter, whose precision is its own."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "motion.safetensors").write_bytes(pack_motion(motion_of(self.motion_network)))


def train_motion(
    spec: AnyStageSpec,
    checkpoints: Checkpoints,
    video: TrainingClip,
    folder: Path,
    report: Callable[[Progress], None],
    steps: int | None = None,
    training: type[MotionTraining] = MotionTraining,
) -> bytes:
    """Fine-tune on one video.

    Args:
        spec: of a stage that takes motions.
        video: of the spec's frames and size; its caption says what it shows, but not how it moves.
        folder: of the run.
        steps: None takes the recipe's.
    Returns:
        The adapter, as safetensors.
    Raises:
        CheckpointError: the stage's checkpoint is missing or does not fit.
    """
    recipe = RECIPE if steps is None else replace(RECIPE, phases=(replace(RECIPE.phases[0], steps=steps),))
    stage = training.from_checkpoint(cast("StageSpec[KeyframesOptions]", spec), recipe, checkpoints)
    never = recipe.steps + 1
    clips = OneVideo(video.frames, video.caption)
    Training(stage, clips, folder, None, rhythm=Rhythm(save_every=never, sample_every=never)).run(report)
    return (folder / "checkpoint" / "motion.safetensors").read_bytes()
