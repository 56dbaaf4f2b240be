"""The first frame of version 1.1: given, or made by the keyframe UNet as an image network, and shown to it as a condition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np
import torch
from PIL import Image
from torch import Generator, Tensor

from cascade.models.checkpoints.files import Requirement
from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.diffusion.progress import PlannedSteps
from cascade.models.diffusion.sampling import draw_noise, sample_from_noise
from cascade.models.diffusion.schedules import Scheduler
from cascade.models.families.fusion_frames.guidance import Branch, alone, branched_predictor, text_guidance
from cascade.models.families.fusion_frames.networks import Autoencoder, KeyframesNetwork
from cascade.models.families.fusion_frames.sampler import stage_sampler
from cascade.models.families.fusion_frames.text import Context
from cascade.models.presets.kandinsky_video import PIXELS_PER_LATENT, FirstFrameOptions
from cascade.models.presets.spec import StageSpec
from cascade.models.runtime.device import resident, resolve_device
from cascade.models.runtime.execution import Execution


class FirstFrame:
    """Makes what the keyframe UNet sees beside the noise: the latent of the first frame, zeros, and the mask."""

    def __init__(
        self,
        options: FirstFrameOptions,
        autoencoder: Autoencoder,
        scheduler: Scheduler,
        execution: Execution,
    ) -> None:
        self.options, self.autoencoder, self.scheduler = options, autoencoder, scheduler
        self.execution, self.device = execution, resolve_device(execution)

    @classmethod
    def load(
        cls, spec: StageSpec[Any], options: FirstFrameOptions, checkpoints: Checkpoints, execution: Execution
    ) -> Self:
        precise = autoencoder_execution(execution)
        autoencoder = checkpoints.network(spec.checkpoint, Autoencoder, precise, options.autoencoder)
        return cls(options, autoencoder, stage_sampler(spec, checkpoints), execution)

    @classmethod
    def requirement(cls, spec: StageSpec[Any], options: FirstFrameOptions) -> Requirement:
        return Requirement(spec.checkpoint, (options.autoencoder,), {options.autoencoder: Autoencoder})

    def numbers(self, frames: int) -> dict[str, Tensor]:
        """Return what the UNet is told of each frame: how noisy the first one is, and how much moves; (frames,) each."""
        return {
            "noise_aug_time": torch.full((frames,), self.options.noise_level),
            "motion_score": torch.full((frames,), self.options.motion_score),
        }

    def __call__(
        self,
        network: KeyframesNetwork,
        prompt: Context,
        no_text: Context,
        spec: StageSpec[Any],
        generators: Sequence[Generator],
        steps: PlannedSteps,
        given: Tensor | None = None,
    ) -> Tensor:
        """Make the condition.

        Args:
            generators: one per video, of its noise.
            given: (batch, 3, height, width), pictures in [-1, 1] of any size; None samples them.
        Returns:
            (batch, channels + 1, frames, height / 8, width / 8): the noised latent in the first frame, zeros in the others,
            and a mask that is 1 in the first.
        """
        if given is None:
            latents = self._sample(network, prompt, no_text, spec, generators, steps)
            frames = self._run(self.autoencoder.decode, latents)
        else:
            steps.skip(self.options.steps)
            frames = given
        fitted = torch.stack([fit(frame, spec.height, spec.width) for frame in frames])
        latents = self._run(self.autoencoder.encode, fitted.to(self.device))
        noised = self._noise(latents, generators)
        batch, channels, height, width = noised.shape
        condition = noised.new_zeros(batch, channels + 1, spec.frames, height, width)
        condition[:, :channels, 0] = noised
        condition[:, channels, 0] = 1
        return condition

    def _sample(
        self,
        network: KeyframesNetwork,
        prompt: Context,
        no_text: Context,
        spec: StageSpec[Any],
        generators: Sequence[Generator],
        steps: PlannedSteps,
    ) -> Tensor:
        """Sample pictures at the larger size: (batch, channels, height · scale / 8, width · scale / 8)."""
        channels, scale = network.unet.config.out_channels, self.options.scale
        height, width = (side * scale // PIXELS_PER_LATENT for side in (spec.height, spec.width))
        noise = draw_noise((channels, 1, height, width), generators, self.device)
        nothing = noise.new_zeros(len(noise), channels + 1, 1, height, width)
        branches = (Branch(prompt, after=nothing), Branch(no_text, after=nothing))
        if self.options.guidance_scale == 1:
            predict = branched_predictor(network, branches[:1], alone, None)
        else:
            combine = text_guidance(self.options.guidance_scale)
            predict = branched_predictor(network, branches, combine, None)
        report = steps.part(self.options.steps)
        return sample_from_noise(predict, noise, self.scheduler, self.options.steps, generators, report)[
            :, :, 0
        ]

    def _noise(self, latents: Tensor, generators: Sequence[Generator]) -> Tensor:
        """Noise latents (batch, channels, height, width) to the level that the UNet is told."""
        draw = torch.rand if self.options.uniform_noise else torch.randn
        shape = tuple(latents.shape[1:])
        noise = torch.stack([draw(shape, generator=generator) for generator in generators])
        level = torch.full((len(latents),), self.options.noise_level, device=latents.device)
        return self.scheduler.add_noise(latents, noise.to(latents.device), level)

    def _run(self, part: Any, values: Tensor) -> Tensor:
        """Run a part of the autoencoder on (batch, channels, height, width), one by one."""
        dtype = next(self.autoencoder.parameters()).dtype
        with resident(self.autoencoder, self.execution):
            return torch.cat([part(value[None].to(dtype)) for value in values]).float()


def fit(frame: Tensor, height: int, width: int) -> Tensor:
    """Shrink a picture until one side fits, and crop the other around the middle; its 8 bits are cut off and not rounded.

    Args:
        frame: (3, any height, any width) in [-1, 1].
    Returns:
        (3, height, width) in [-1, 1], on the CPU.
    """
    pixels = ((frame.float() + 1) / 2).clamp(0, 1).permute(1, 2, 0).cpu().numpy()
    image = Image.fromarray((pixels * 255).astype(np.uint8))
    factor = max(1.0, min(image.width / width, image.height / height))
    image = image.resize((round(image.width / factor), round(image.height / factor)))
    left, top = (image.width - width) / 2, (image.height - height) / 2
    image = image.crop((left, top, left + width, top + height))
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 127.5 - 1


def autoencoder_execution(execution: Execution) -> Execution:
    """Return the settings of an autoencoder: in full precision, as the published pipelines run it, unless one is set."""
    return replace(execution, dtype="float32") if execution.dtype == "auto" else execution
