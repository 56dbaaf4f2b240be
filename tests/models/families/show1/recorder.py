"""A network small enough to see through, and what it takes to run a stage with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Self

import torch
from diffusers import DDIMScheduler
from torch import Tensor, nn

from cascade.models.checkpoints.network import CheckpointNetwork
from cascade.models.clip import Clip, Output, PromptEmbeddings
from cascade.models.diffusion.schedules import Scheduler
from cascade.models.presets.show1 import SHOW_1
from cascade.models.presets.spec import AnyStageSpec
from cascade.models.runtime.execution import Execution
from cascade.models.stage import AnyStage, StageInputs

CPU = torch.device("cpu")
HERE = Execution(device="cpu")
EMBEDDINGS = PromptEmbeddings(torch.ones(1, 2, 4), torch.zeros(1, 2, 4))


class Recorder(CheckpointNetwork):
    """A network that keeps what it is given and predicts half of its sample as the clean sample.

    Attributes:
        inputs, texts, labels: of each call.
        events: `run` for each call, and the device of each move, in order.
    """

    def __init__(self, channels: int = 3, *, noise_level: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.channels, self.noise_level = channels, noise_level
        self.inputs: list[Tensor] = []
        self.texts: list[Tensor] = []
        self.labels: list[Tensor | None] = []
        self.events: list[str] = []

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        return cls(**config)

    def config_json(self) -> dict[str, Any]:
        return {"channels": self.channels, "noise_level": self.noise_level}

    @property
    def takes_noise_level(self) -> bool:
        return self.noise_level

    def to(self, *args: Any, **options: Any) -> Self:
        self.events.append(str(args[0]))
        return super().to(*args, **options)

    def forward(
        self, sample: Tensor, timestep: Tensor, text: Tensor, class_labels: Tensor | None = None
    ) -> Tensor:
        """(batch, channels, frames, height, width) to the first `channels` of it, halved."""
        self.events.append("run")
        self.inputs.append(sample)
        self.texts.append(text)
        self.labels.append(class_labels)
        return self.predict(sample[:, : self.channels])

    def predict(self, sample: Tensor) -> Tensor:
        """Predict the clean sample of (batch, channels, frames, height, width)."""
        return sample * 0.5


class NoText:
    """The text encoder of a stage that is handed its embeddings."""

    def encode(self, prompt: str, negative_prompt: str) -> PromptEmbeddings:
        raise AssertionError("the stage was handed its embeddings")


def clean_sample_scheduler() -> Scheduler:
    """Make a scheduler for networks that predict the clean sample."""
    scheduler: Scheduler = DDIMScheduler(prediction_type="sample", clip_sample=False)
    return scheduler


def small_spec(stage: str, **changes: Any) -> AnyStageSpec:
    """Return a stage of Show-1 with two steps, frames of 6x4 and no guidance, but for the changes."""
    small = {"steps": 2, "height": 4, "width": 6, "guidance_scale": 1.0}
    return replace(SHOW_1.stage(stage), **(small | changes))


def run(
    stage: AnyStage, spec: AnyStageSpec, seeds: tuple[int, ...] = (7,), previous: Output | None = None
) -> tuple[Clip, list[tuple[int, int]]]:
    """Run a stage: its clip and the progress it reported."""
    steps: list[tuple[int, int]] = []
    inputs = StageInputs(spec, "a prompt", "", EMBEDDINGS, seeds, previous)
    clip = stage(inputs, lambda k, n: steps.append((k, n)))
    assert isinstance(clip, Clip)
    return clip, steps
