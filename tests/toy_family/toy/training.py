"""Sketching learns to repeat what it sees."""

from __future__ import annotations

from pathlib import Path
from typing import Self

import torch
from torch import Generator, Tensor
from torch.nn import functional
from toy_presets import SketchOptions

from cascade.models.checkpoints.files import write_checksums
from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.checkpoints.writing import write_network
from cascade.models.clip import Clip
from cascade.models.presets.spec import Preset, StageSpec
from cascade.models.training.batch import Batch, CaptionedClip
from cascade.models.training.recipe import Phase, Recipe
from cascade.models.training.stage_training import CPU, StageTraining
from toy.networks import LATENT_CHANNELS, Convolution
from toy.stages import SCALE


class SketchTraining(StageTraining[SketchOptions]):
    """Squared error of the convolution's output to its input."""

    def __init__(self, spec: StageSpec[SketchOptions], recipe: Recipe, network: Convolution) -> None:
        super().__init__()
        self.spec, self.recipe, self.network = spec, recipe, network

    @classmethod
    def load(
        cls, spec: StageSpec[SketchOptions], recipe: Recipe, checkpoints: Checkpoints, cascade: Preset
    ) -> Self:
        network = checkpoints.network(spec.checkpoint, Convolution, CPU, part="network")
        return cls(spec, recipe, network.requires_grad_(True))

    def forward(self, batch: Batch, phase: Phase, generator: Generator) -> Tensor:
        shrunk = functional.avg_pool2d(batch.frames.flatten(0, 1), SCALE)
        latents = functional.pad(shrunk, (0, 0, 0, 0, 0, LATENT_CHANNELS - 3))[None]
        return functional.mse_loss(self.network(latents), latents)

    def write(self, folder: Path, dtype: torch.dtype) -> None:
        write_network(folder, self.network, dtype, part="network")
        write_checksums(folder)

    def sample(self, batch: Batch, seed: int) -> Clip:
        return Clip(batch.frames[:1], self.spec.fps)


class PlainClips:
    """Every clip is of one gray, which its number decides."""

    def __init__(self, frames: int, height: int, width: int, seed: int) -> None:
        self.shape, self.seed = (frames, 3, height, width), seed

    def __getitem__(self, index: int) -> CaptionedClip:
        gray = torch.rand((), generator=torch.Generator().manual_seed(self.seed + index)) * 2 - 1
        return CaptionedClip(gray.expand(self.shape).clone(), "plain")


def plain_clips(frames: int, height: int, width: int, seed: int) -> PlainClips:
    return PlainClips(frames, height, width, seed)
