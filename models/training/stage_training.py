"""The base of trainings: a module whose forward is the loss of a batch, loaded from a checkpoint and written as one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Generic, Self, TypeVar

import torch
from diffusers import SchedulerMixin
from torch import Generator, Tensor, nn

from cascade.models.checkpoints.files import write_checksums
from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.checkpoints.network import CheckpointNetwork
from cascade.models.checkpoints.writing import write_network, write_text
from cascade.models.clip import Clip, Output
from cascade.models.errors import TrainingError
from cascade.models.layers.temporal import enable_temporal, is_temporal
from cascade.models.media.renditions import as_clip
from cascade.models.presets.spec import Preset, StageOptions, StageSpec
from cascade.models.runtime.execution import Execution
from cascade.models.stage import Stage, StageInputs
from cascade.models.training.batch import Batch
from cascade.models.training.recipe import Phase, Recipe
from cascade.models.training.text_conditioning import CaptionEncoder

CPU = Execution(device="cpu", dtype="float32")
"""Trainings load networks with this; the loop moves them to the device it trains on."""

OptionsT = TypeVar("OptionsT", bound=StageOptions)


class StageTraining(nn.Module, ABC, Generic[OptionsT]):
    """One stage while it learns. The attributes that are networks are what is trained and saved.

    Attributes:
        spec: of the stage.
        recipe: how it is trained.
        frames: of the clips that it is shown; None for as many as the stage makes.
    """

    spec: StageSpec[OptionsT]
    recipe: Recipe
    frames: ClassVar[int | None] = None

    @classmethod
    @abstractmethod
    def load(
        cls, spec: StageSpec[OptionsT], recipe: Recipe, checkpoints: Checkpoints, cascade: Preset
    ) -> Self:
        """Load the networks that the training begins from.

        Args:
            cascade: has the stage; its other stages may have weights to begin from.
        Raises:
            CheckpointError: a checkpoint is missing or does not fit.
        """

    @property
    def checkpoint(self) -> str:
        """Name the checkpoint that the result is laid over: the stage's own."""
        return self.spec.checkpoint

    def select(self, phase: Phase) -> None:
        """Let only the parameters learn that the phase names. Raises TrainingError for a group that there is not."""

    def clips_per_step(self, phase: Phase) -> int:
        """Return how many clips a batch has; 0 for a loss that needs none."""
        return phase.batch_size

    def crop(self, phase: Phase) -> tuple[int, int] | None:
        """Return height and width of the crops that a batch has; None shows the clips whole."""
        return phase.crop

    @abstractmethod
    def forward(self, batch: Batch, phase: Phase, generator: Generator) -> Tensor:
        """Compute the loss of a batch.

        Args:
            batch: frames (batch, frames, 3, height, width) in [-1, 1], and captions.
            generator: a CPU one, from which all comes that is random.
        Returns:
            A scalar.
        """

    @abstractmethod
    def write(self, folder: Path, dtype: torch.dtype) -> None:
        """Write the networks, in the precision `dtype`, over the checkpoint in `folder`."""

    @abstractmethod
    def sample(self, batch: Batch, seed: int) -> Clip:
        """Make one clip of a batch's captions, or of its clips at the stage before, for people to look at."""


AnyStageTraining = StageTraining[Any]


class DiffusionTraining(StageTraining[OptionsT]):
    """A stage with a UNet and a text encoder.

    Attributes:
        groups: the groups of parameters that phases may name.
    """

    groups: ClassVar[tuple[str, ...]] = ("all", "spatial", "temporal")

    def __init__(
        self,
        spec: StageSpec[OptionsT],
        recipe: Recipe,
        unet: CheckpointNetwork,
        captions: CaptionEncoder,
        scheduler: SchedulerMixin,
    ) -> None:
        super().__init__()
        self.spec, self.recipe, self.unet, self.captions = spec, recipe, unet, captions
        self.scheduler = scheduler

    def select(self, phase: Phase) -> None:
        if phase.trainable not in self.groups:
            raise TrainingError(
                f'{type(self).__name__} has no parameters "{phase.trainable}"; choose one of {", ".join(self.groups)}'
            )
        self.captions.select(trained=phase.train_text)
        enable_temporal(self.unet, enabled=phase.trainable != "spatial")
        learning = {"spatial", "temporal"} if phase.trainable == "all" else {phase.trainable}
        for name, parameter in self.unet.named_parameters():
            parameter.requires_grad_(self.group_of(name) in learning)

    def group_of(self, parameter_name: str) -> str:
        """Return the group that a parameter of the UNet belongs to."""
        return "temporal" if is_temporal(parameter_name) else "spatial"

    def text(self, batch: Batch, generator: Generator) -> Tensor:
        """Encode the captions of a batch, some of them dropped: (batch, tokens, features)."""
        features: Tensor = self.captions(batch.captions, self.recipe.caption_dropout, generator)
        return features

    def write(self, folder: Path, dtype: torch.dtype) -> None:
        write_network(folder, self.unet, dtype)
        self.scheduler.save_pretrained(folder / "scheduler")
        if self.recipe.train_text:
            write_text(folder, self.captions.encoder, self.captions.tokenizer, dtype)
        write_checksums(folder)

    @property
    def execution(self) -> Execution:
        """Where the networks are now."""
        return Execution(device=str(next(self.parameters()).device), dtype="float32")

    @abstractmethod
    def stage(self) -> Stage[OptionsT]:
        """Build the stage around the networks as they are."""

    def previous(self, _batch: Batch) -> Output | None:
        """Make the previous stage's output of a batch's first clip, as if that stage were perfect."""
        return None

    def sample(self, batch: Batch, seed: int) -> Clip:
        stage, caption = self.stage(), batch.captions[0]
        embeddings = self.captions.text.encode(caption, "")
        inputs = StageInputs(self.spec, caption, "", embeddings, (seed,), self.previous(batch))
        return as_clip(stage(inputs, lambda _k, _n: None), stage.preview)
