"""Temporal interpolation: frames between neighbouring keyframes by the pixel video UNet (Show-1, section 3.4).

Where the paper says that the condition is zero on the masked frames, the published code fills all frames of a
window by linear interpolation between its two keyframes; so does this.
"""

from __future__ import annotations

import torch
from einops import rearrange, repeat
from torch import Tensor
from torch.nn import functional

from cascade.models.clip import Clip
from cascade.models.diffusion.guidance import guided_predictor
from cascade.models.diffusion.progress import PlannedSteps
from cascade.models.diffusion.sampling import draw_noise, sample_from_noise, seeded_generators
from cascade.models.families.show1.pixel_stage import PixelStage
from cascade.models.families.show1.windows import keyframe_windows
from cascade.models.presets.show1 import InterpolationOptions
from cascade.models.runtime.device import resident
from cascade.models.stage import OnStep, StageInputs


class Interpolation(PixelStage[InterpolationOptions]):
    """Fills in the frames between keyframes; all windows are one batch and see the same noise."""

    @torch.inference_mode()
    def __call__(self, inputs: StageInputs[InterpolationOptions], on_step: OnStep) -> Clip:
        spec, options = inputs.spec, inputs.spec.options
        num_keyframes = options.keyframes(spec.frames)
        keyframes = inputs.previous_frames(num_keyframes).to(self.device)  # b f c h w
        windows = keyframe_windows(num_keyframes, options.frames_between)
        condition = window_conditions(keyframes, options.frames_between)  # (b w) c+1 f h w

        seeds = [seed for seed in inputs.seeds for _ in windows]
        generators = seeded_generators(seeds)
        channels, (height, width) = keyframes.shape[2], keyframes.shape[-2:]
        noise = draw_noise((channels, options.frames_between + 2, height, width), generators, self.device)
        report = PlannedSteps(on_step, spec.planned_steps(len(inputs.seeds))).part(spec.steps)
        with resident(self.unet, self.execution):
            predict = guided_predictor(self.unet, inputs.embeddings, spec.guidance_scale, condition)
            video = sample_from_noise(predict, noise, self.scheduler, spec.steps, generators, report)

        segments = rearrange(video, "(b windows) c f h w -> windows b f c h w", windows=len(windows))
        frames = keyframes.new_empty(keyframes.shape[0], spec.frames, *keyframes.shape[2:])
        for window, segment in zip(windows, segments, strict=True):
            frames[:, window.start : window.stop] = segment
        return Clip(frames.cpu(), spec.fps)


def window_conditions(keyframes: Tensor, frames_between: int) -> Tensor:
    """Make what the UNet sees beside the noise: per window the condition frames and the mask.

    Args:
        keyframes: (batch, keyframes, channels, height, width), pixels in [-1, 1].
    Returns:
        (batch·windows, channels + 1, frames_between + 2, height, width): frames interpolated linearly between
        the two keyframes; the mask is 1 on these two and 0 between.
    """
    length = frames_between + 2
    pairs = torch.stack([keyframes[:, :-1], keyframes[:, 1:]], dim=2)
    pairs = rearrange(pairs, "b windows pair c h w -> (b windows) c pair h w")
    size = (length, *pairs.shape[-2:])
    frames = functional.interpolate(pairs, size=size, mode="trilinear", align_corners=True)
    mask = frames.new_zeros(length)
    mask[0] = mask[-1] = 1
    mask = repeat(mask, "f -> b 1 f h w", b=frames.shape[0], h=size[1], w=size[2])
    return torch.cat([frames, mask], dim=1)
