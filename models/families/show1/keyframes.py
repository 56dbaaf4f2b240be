"""Keyframes: a few frames at a very low resolution by the pixel video UNet (Show-1, section 3.3)."""

from __future__ import annotations

import torch
from einops import rearrange
from torch import nn

from cascade.models.clip import Clip
from cascade.models.diffusion.guidance import guided_predictor
from cascade.models.diffusion.progress import PlannedSteps
from cascade.models.diffusion.sampling import draw_noise, sample_from_noise, seeded_generators
from cascade.models.families.show1.motion import with_motion
from cascade.models.families.show1.pixel_stage import PixelStage
from cascade.models.presets.show1 import KeyframesOptions
from cascade.models.runtime.device import resident
from cascade.models.stage import OnStep, StageInputs

CHANNELS = 3


class Keyframes(PixelStage[KeyframesOptions]):
    """Samples the keyframes from noise and text."""

    @property
    def motion_network(self) -> nn.Module:
        """The network whose temporal attention a motion adapter replaces (section 3.7)."""
        return self.unet

    def denoiser(self, _inputs: StageInputs[KeyframesOptions]) -> nn.Module:
        """Return the network that is run, for these inputs."""
        return self.unet

    @torch.inference_mode()
    def __call__(self, inputs: StageInputs[KeyframesOptions], on_step: OnStep) -> Clip:
        spec = inputs.spec
        generators = seeded_generators(inputs.seeds)
        noise = draw_noise((CHANNELS, spec.frames, spec.height, spec.width), generators, self.device)
        report = PlannedSteps(on_step, spec.planned_steps(len(inputs.seeds))).part(spec.steps)
        with resident(self.unet, self.execution), with_motion(self.motion_network, inputs.motion):
            predict = guided_predictor(self.denoiser(inputs), inputs.embeddings, spec.guidance_scale)
            video = sample_from_noise(predict, noise, self.scheduler, spec.steps, generators, report)
        return Clip(rearrange(video, "b c f h w -> b f c h w").cpu(), spec.fps)
