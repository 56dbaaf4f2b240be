"""Fine-tuning the temporal attention of keyframes on one video (Show-1, section 3.7)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.families.show1.motion import is_motion, motion_of, pack_motion
from cascade.models.families.show1.training import KeyframesTraining
from cascade.models.presets.spec import StageSpec
from cascade.models.training.loop import Progress, Rhythm, Training
from cascade.models.training.recipe import Phase, Recipe

RECIPE = Recipe(
    phases=(Phase(200, 4, "temporal", learning_rate=3e-4),),
    high_noise_share=1.0,  # motion is decided there; below, the network would learn the outlines of the one video
    ema_decay=0.95,
    warmup=20,
)


@dataclass(frozen=True)
class OneVideo:
    """The same clip and caption for every index; an item of it is itself.

    Attributes:
        frames: float32 (frames, 3, height, width) in [-1, 1].
    """

    frames: torch.Tensor
    caption: str

    def __getitem__(self, _: int) -> OneVideo:
        return self


class MotionTraining(KeyframesTraining):
    """Keyframes of which the temporal attention alone learns; the result is an adapter, not a checkpoint."""

    def select(self, _: Phase) -> None:
        for name, parameter in self.named_parameters():
            parameter.requires_grad_(is_motion(name))

    def write(self, folder: Path, _: torch.dtype) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "motion.safetensors").write_bytes(pack_motion(motion_of(self.unet)))


def train_motion(
    spec: StageSpec,
    checkpoints: Checkpoints,
    video: OneVideo,
    folder: Path,
    report: Callable[[Progress], None],
    steps: int | None = None,
) -> bytes:
    """Fine-tune on one video of the spec's frames and size; the adapter, as safetensors."""
    recipe = RECIPE if steps is None else replace(RECIPE, phases=(replace(RECIPE.phases[0], steps=steps),))
    stage = MotionTraining.load(spec, recipe, checkpoints)
    never = recipe.steps + 1
    Training(stage, video, folder, None, rhythm=Rhythm(save_every=never, sample_every=never)).run(report)
    return (folder / "checkpoint" / "motion.safetensors").read_bytes()
