"""Sketch makes latents of noise; paint decodes them."""

from __future__ import annotations

import hashlib
from typing import Self

import torch
from torch.nn import functional
from toy_presets import PaintOptions, SketchOptions

from cascade.models.checkpoints.files import Requirement
from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.clip import Clip, Latents, PromptEmbeddings
from cascade.models.diffusion.sampling import draw_noise, seeded_generators
from cascade.models.presets.spec import AnyStageSpec
from cascade.models.runtime.execution import Execution
from cascade.models.stage import OnStep, Stage, StageInputs
from toy.networks import LATENT_CHANNELS, Convolution

SCALE = 8
CPU = torch.device("cpu")


class HashedText:
    """A text encoder of one token: the prompt's digest."""

    def encode(self, prompt: str, negative_prompt: str) -> PromptEmbeddings:
        both = (
            torch.tensor([[[int(hashlib.sha256(text.encode()).hexdigest()[:4], 16) / 65535]]])
            for text in (prompt, negative_prompt)
        )
        return PromptEmbeddings(*both)


class Sketch(Stage[SketchOptions]):
    """Noise, through one convolution a step."""

    def __init__(self, network: Convolution) -> None:
        self.network, self.text = network, HashedText()

    @classmethod
    def load(cls, spec: AnyStageSpec, checkpoints: Checkpoints, execution: Execution) -> Self:
        return cls(checkpoints.network(spec.checkpoint, Convolution, execution, part="network"))

    @classmethod
    def requirements(cls, spec: AnyStageSpec) -> tuple[Requirement, ...]:
        return (Requirement(spec.checkpoint, ("network",), {"network": Convolution}),)

    @torch.inference_mode()
    def __call__(self, inputs: StageInputs[SketchOptions], on_step: OnStep) -> Latents:
        spec = inputs.spec
        shape = (spec.frames, LATENT_CHANNELS, spec.height // SCALE, spec.width // SCALE)
        latents = draw_noise(shape, seeded_generators(inputs.seeds), CPU) + inputs.embeddings.prompt[0, 0, 0]
        for step in range(spec.steps):
            latents = (spec.options.boldness * self.network(latents)).tanh()
            on_step(step + 1, spec.steps)
        return Latents(latents, spec.fps, spec.checkpoint)


class Paint(Stage[PaintOptions]):
    """One convolution to colours, enlarged."""

    def __init__(self, network: Convolution) -> None:
        self.network, self.text = network, HashedText()

    @classmethod
    def load(cls, spec: AnyStageSpec, checkpoints: Checkpoints, execution: Execution) -> Self:
        return cls(checkpoints.network(spec.checkpoint, Convolution, execution, part="network"))

    @classmethod
    def requirements(cls, spec: AnyStageSpec) -> tuple[Requirement, ...]:
        return (Requirement(spec.checkpoint, ("network",), {"network": Convolution}),)

    @torch.inference_mode()
    def __call__(self, inputs: StageInputs[PaintOptions], on_step: OnStep) -> Clip:
        spec = inputs.spec
        colours = self.network(inputs.previous_latents(spec.frames)).tanh()
        for step in range(spec.steps):
            on_step(step + 1, spec.steps)
        frames = functional.interpolate(colours.flatten(0, 1), size=(spec.height, spec.width))
        return Clip(frames.view(*colours.shape[:3], spec.height, spec.width), spec.fps)
