"""A training small enough to see through: a line that learns the brightness of clips."""

from __future__ import annotations

from pathlib import Path
from typing import Self

import torch
from torch import Generator, Tensor, nn

from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.clip import Clip
from cascade.models.presets.show1 import SHOW_1
from cascade.models.presets.spec import AnyStageSpec, Preset, StageOptions
from cascade.models.training.batch import Batch, CaptionedClip
from cascade.models.training.recipe import Phase, Recipe
from cascade.models.training.stage_training import StageTraining


class BrightnessTraining(StageTraining[StageOptions]):
    """Predicts the mean of a clip from its first pixel, with some noise; counts its batches.

    Groups of parameters: `weight`, and `all`, which has the bias as well. The phase `nothing` is shown no clips.
    """

    count: Tensor

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        self.spec, self.recipe = SHOW_1.stages[0], recipe
        self.frozen = nn.Linear(4, 4).requires_grad_(False)
        self.line = nn.Linear(1, 1)
        nn.init.zeros_(self.line.weight)
        nn.init.zeros_(self.line.bias)
        self.register_buffer("count", torch.tensor(0))
        self.batches: list[Batch] = []

    @classmethod
    def load(cls, _spec: AnyStageSpec, recipe: Recipe, _checkpoints: Checkpoints, _cascade: Preset) -> Self:
        return cls(recipe)

    def select(self, phase: Phase) -> None:
        self.line.weight.requires_grad = True
        self.line.bias.requires_grad = phase.trainable != "weight"

    def clips_per_step(self, phase: Phase) -> int:
        return 0 if phase.trainable == "nothing" else phase.batch_size

    def forward(self, batch: Batch, phase: Phase, generator: Generator) -> Tensor:
        """A scalar of shape ()."""
        self.count += 1
        self.batches.append(batch)
        if phase.trainable == "nothing":
            squares: Tensor = self.line.weight.square().sum() + self.line.bias.square().sum()
            return squares
        noise = 0.1 * torch.randn(len(batch.captions), generator=generator)
        prediction = self.line(batch.frames[:, 0, 0, 0, :1])[:, 0]
        errors: Tensor = prediction + noise - batch.frames.mean(dim=(1, 2, 3, 4))
        return errors.square().mean()

    def write(self, folder: Path, dtype: torch.dtype) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        torch.save(self.line.to(dtype).state_dict(), folder / "line.pt")

    def sample(self, batch: Batch, _seed: int) -> Clip:
        return Clip(batch.frames[:1] * self.line.weight, self.spec.fps)


class GrayClips:
    """Clip k is gray, of a brightness that k fixes."""

    def __getitem__(self, index: int, /) -> CaptionedClip:
        brightness = (index * 0.37) % 2 - 1
        return CaptionedClip(torch.full((2, 3, 4, 4), brightness), f"gray {index}")
