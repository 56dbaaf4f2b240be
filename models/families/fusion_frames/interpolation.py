"""Interpolation: three frames between neighbouring keyframes, in latent space, once or twice (FusionFrames, section 4.2)."""

from __future__ import annotations

from typing import Any

import torch
from einops import rearrange
from torch import Tensor, nn

from cascade.models.clip import Clip, Latents
from cascade.models.diffusion.progress import PlannedSteps
from cascade.models.diffusion.sampling import Predict, draw_noise, sample_from_noise, seeded_generators
from cascade.models.families.fusion_frames.guidance import Branch, alone, branched_predictor, context_guidance
from cascade.models.families.fusion_frames.networks import InterpolationNetwork
from cascade.models.families.fusion_frames.text import Context
from cascade.models.families.fusion_frames.text_stage import TextStage
from cascade.models.presets.kandinsky_video import FRAMES_BETWEEN, InterpolationOptions
from cascade.models.stage import OnStep, StageInputs

LENGTH = "num_predicted_groups"
NULL_TOKENS = 2
"""Tokens of the context where the network is not told the prompt: the null embedding, and padding."""


class Interpolation(TextStage[InterpolationOptions, InterpolationNetwork]):
    """Samples the frames between keyframes; all groups of a video at once, which the network's temporal layers mix."""

    kind = InterpolationNetwork

    @torch.inference_mode()
    def __call__(self, inputs: StageInputs[InterpolationOptions], on_step: OnStep) -> Latents:
        spec, options = inputs.spec, inputs.spec.options
        latents = inputs.previous_latents(options.keyframes(spec.frames)).to(self.device)  # b k c h w
        generators = seeded_generators(inputs.seeds)
        steps = PlannedSteps(on_step, spec.planned_steps(len(inputs.seeds)))
        with self.on_device():
            text, no_text = self._contexts(inputs)
            for skip in options.skips:
                _, keyframes, channels, height, width = latents.shape
                shape = (FRAMES_BETWEEN * channels, keyframes - 1, height, width)
                noise = draw_noise(shape, generators, self.device)
                predict = interpolation_predictor(
                    self.network,
                    latents,
                    text,
                    no_text,
                    spec.guidance_scale,
                    skip,
                    options.perturbation_level,
                    has_mask=self.network.unet.has_mask,
                )
                report = steps.part(spec.steps)
                groups = sample_from_noise(predict, noise, self.scheduler, spec.steps, generators, report)
                latents = put_between(latents, groups)
        return Latents(latents.cpu(), spec.fps, spec.checkpoint)

    def _contexts(self, inputs: StageInputs[InterpolationOptions]) -> tuple[Context, Context]:
        """Make the contexts with keyframes and without: the prompt and no text, or no text in both."""
        if self.projection is None:
            no_text = self.network.no_text(NULL_TOKENS)
            return no_text, no_text
        prompt = self.projection.context(inputs.embeddings.prompt)
        return prompt, self.network.no_text(prompt.tokens.shape[1])

    def show_sample(self, sample: Tensor, fps: int) -> Clip:
        """Show the frames between keyframes one after the other: sample (batch, 3·channels, groups, height, width)."""
        frames = rearrange(sample, "b (t c) g h w -> b c (g t) h w", t=FRAMES_BETWEEN)
        return super().show_sample(frames, fps)


def interpolation_predictor(
    network: nn.Module,
    keyframes: Tensor,
    text: Context,
    no_text: Context,
    guidance_scale: float,
    skip: int,
    perturbation_level: int,
    *,
    has_mask: bool,
) -> Predict:
    """Make a `Predict` of v of the frames between, with context guidance (equation 4).

    Args:
        network: with the arguments of `InterpolationUNet`.
        keyframes: (batch, keyframes, channels, height, width).
        guidance_scale: 1 + w.
        skip: s.
        perturbation_level: tp of the branch with keyframes; that without has 0.
        has_mask: the temporal layers of the branch without keyframes are masked (mt = 0).
    """
    left, right = (
        rearrange(part, "b g c h w -> b c g h w") for part in (keyframes[:, :-1], keyframes[:, 1:])
    )
    groups = left.shape[2]

    def numbers(level: int, mask: float) -> dict[str, Tensor]:
        told: dict[str, Any] = {
            "skip_frames": torch.full((groups,), skip),
            "perturbation_time": torch.full((groups,), level),
        }
        return told | ({"temporal_mask": torch.full((groups,), mask)} if has_mask else {})

    conditional = Branch(text, left, right, numbers(perturbation_level, 1.0))
    if guidance_scale == 1:
        return branched_predictor(network, (conditional,), alone, LENGTH)
    zeros = torch.zeros_like(left)
    unconditional = Branch(no_text, zeros, zeros, numbers(0, 0.0))
    combine = context_guidance(guidance_scale)
    return branched_predictor(network, (conditional, unconditional), combine, LENGTH)


def put_between(keyframes: Tensor, groups: Tensor) -> Tensor:
    """Put three frames between each two keyframes: K keyframes become 4K - 3 frames, of which frame 4i is keyframe i.

    Args:
        keyframes: (batch, keyframes, channels, height, width).
        groups: (batch, 3·channels, keyframes - 1, height, width).
    Returns:
        (batch, frames, channels, height, width).
    """
    between = rearrange(groups, "b (t c) g h w -> b g t c h w", t=FRAMES_BETWEEN)
    led = torch.cat([keyframes[:, :-1, None], between], dim=2)
    return torch.cat([rearrange(led, "b g t c h w -> b (g t) c h w"), keyframes[:, -1:]], dim=1)
