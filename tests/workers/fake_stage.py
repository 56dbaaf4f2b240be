"""Stages that stand in for networks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import torch

from cascade.models.checkpoints.files import Requirement
from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.clip import Clip, Latents, Output, PromptEmbeddings
from cascade.models.presets.spec import AnyStageSpec
from cascade.models.runtime.execution import Execution
from cascade.models.stage import AnyStage, OnStep, Stage, StageInputs

MakeOutput = Callable[[StageInputs[Any]], Output]


class FakeEncoder:
    """Counts how often it encodes."""

    calls = 0

    def encode(self, prompt: str, negative_prompt: str) -> PromptEmbeddings:
        self.calls += 1
        return PromptEmbeddings(torch.ones(1, 2, 3), torch.zeros(1, 2, 3))


class FakeStage(Stage[Any]):
    """Makes an output in two steps, and remembers what it was called with."""

    def __init__(self, make: MakeOutput) -> None:
        self.make = make
        self.text = self.encoder = FakeEncoder()
        self.inputs: list[StageInputs[Any]] = []

    @classmethod
    def load(cls, spec: AnyStageSpec, checkpoints: Checkpoints, execution: Execution) -> Self:
        raise NotImplementedError

    @classmethod
    def requirements(cls, spec: AnyStageSpec) -> tuple[Requirement, ...]:
        return ()

    def __call__(self, inputs: StageInputs[Any], on_step: OnStep) -> Output:
        self.inputs.append(inputs)
        on_step(1, 2)
        output = self.make(inputs)
        on_step(2, 2)
        return output


def gray_clip(inputs: StageInputs[Any]) -> Clip:
    """A clip of the seeds' gray values: 0 is gray."""
    frames = torch.zeros(len(inputs.seeds), 2, 3, 16, 16)
    return Clip(frames, 8)


def latents(inputs: StageInputs[Any]) -> Latents:
    return Latents(torch.randn(len(inputs.seeds), 2, 4, 4, 4), 8, "small-autoencoder")


def loads(stage: AnyStage) -> Callable[[str, AnyStageSpec], tuple[AnyStage, Execution]]:
    """Loaded stages, all the same."""
    return lambda _queue, _spec: (stage, Execution(device="cpu"))
