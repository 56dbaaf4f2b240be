"""Keyframes: a few frames of a video, in latent space, by a UNet that knows where each lies in time (FusionFrames, section 4.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import torch
from einops import rearrange
from torch import Tensor

from cascade.models.checkpoints.files import Requirement
from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.clip import Clip, Latents
from cascade.models.diffusion.progress import PlannedSteps
from cascade.models.diffusion.sampling import Predict, draw_noise, sample_from_noise, seeded_generators
from cascade.models.errors import CheckpointError
from cascade.models.families.fusion_frames.first_frame import FirstFrame
from cascade.models.families.fusion_frames.guidance import (
    Branch,
    alone,
    branched_predictor,
    image_and_text_guidance,
    text_guidance,
)
from cascade.models.families.fusion_frames.networks import KeyframesNetwork, prompt_contexts
from cascade.models.families.fusion_frames.text import Context
from cascade.models.families.fusion_frames.text_stage import TextStage
from cascade.models.presets.kandinsky_video import PIXELS_PER_LATENT, KeyframesOptions
from cascade.models.presets.spec import StageSpec
from cascade.models.runtime.execution import Execution
from cascade.models.stage import OnStep, StageInputs

LENGTH = "num_frames"


class Keyframes(TextStage[KeyframesOptions, KeyframesNetwork]):
    """Samples the keyframes' latents from noise and text, and in version 1.1 from a first frame."""

    kind = KeyframesNetwork
    first_frame: FirstFrame | None = None

    @classmethod
    def load(cls, spec: StageSpec[KeyframesOptions], checkpoints: Checkpoints, execution: Execution) -> Self:
        stage, options = super().load(spec, checkpoints, execution), spec.options
        if stage.projection is None:
            raise CheckpointError(f'checkpoint "{spec.checkpoint}" has no projection of the text')
        if options.first_frame is not None:
            stage.first_frame = FirstFrame.load(spec, options.first_frame, checkpoints, execution)
        config = stage.network.unet.config
        expected = config.out_channels + (0 if options.first_frame is None else config.out_channels + 1)
        if config.num_channels != expected:
            raise CheckpointError(
                f'the UNet of checkpoint "{spec.checkpoint}" takes {config.num_channels} channels; stage {spec.name} '
                f"gives it {expected}"
            )
        return stage

    @classmethod
    def requirements(cls, spec: StageSpec[KeyframesOptions]) -> tuple[Requirement, ...]:
        first_frame = spec.options.first_frame
        if first_frame is None:
            return super().requirements(spec)
        return (*super().requirements(spec), FirstFrame.requirement(spec, first_frame))

    @torch.inference_mode()
    def __call__(self, inputs: StageInputs[KeyframesOptions], on_step: OnStep) -> Latents:
        spec = inputs.spec
        generators = seeded_generators(inputs.seeds)
        steps = PlannedSteps(on_step, spec.planned_steps(len(inputs.seeds)))
        with self.on_device():
            assert self.projection is not None  # checked when the stage was loaded
            prompt, no_text = prompt_contexts(self.network, self.projection, inputs.embeddings)
            condition = None
            known = {"temporal_embed": torch.arange(spec.frames) * spec.options.position_step}
            if self.first_frame is not None:
                given = inputs.previous_frames()[:, 0] if isinstance(inputs.previous, Clip) else None
                condition = self.first_frame(
                    self.network, prompt, no_text, spec, generators, steps, given
                )  # b c+1 f h w
                known |= self.first_frame.numbers(spec.frames)
            channels = self.network.unet.config.out_channels
            height, width = spec.height // PIXELS_PER_LATENT, spec.width // PIXELS_PER_LATENT
            noise = draw_noise((channels, spec.frames, height, width), generators, self.device)
            predict = keyframes_predictor(
                self.network,
                prompt,
                no_text,
                spec.guidance_scale,
                known,
                condition,
                None if self.first_frame is None else self.first_frame.options.image_guidance,
            )
            report = steps.part(spec.steps)
            latents = sample_from_noise(predict, noise, self.scheduler, spec.steps, generators, report)
        return Latents(rearrange(latents, "b c f h w -> b f c h w").cpu(), spec.fps, spec.checkpoint)


def keyframes_predictor(
    network: torch.nn.Module,
    prompt: Context,
    no_text: Context,
    guidance_scale: float,
    known: Mapping[str, Tensor],
    condition: Tensor | None = None,
    image_guidance: float | None = None,
) -> Predict:
    """Make a `Predict` of keyframes.

    Args:
        network: with the arguments of `KeyframesUNet`.
        known: what the network knows of each frame, (frames,) each, by its names.
        condition: (batch, channels + 1, frames, height, width), the first frame and its mask, behind the sample's channels.
        image_guidance: the weight of the first frame; the guidance scale is that of the text.
    """
    with_prompt = Branch(prompt, after=condition, numbers=known)
    without_text = Branch(no_text, after=condition, numbers=known)
    if condition is None or image_guidance is None:
        if guidance_scale == 1:
            return branched_predictor(network, (with_prompt,), alone, LENGTH)
        combine = text_guidance(guidance_scale)
        return branched_predictor(network, (with_prompt, without_text), combine, LENGTH)
    nothing = Branch(no_text, after=torch.zeros_like(condition), numbers=known)
    return branched_predictor(
        network,
        (with_prompt, without_text, nothing),
        image_and_text_guidance(image_guidance, guidance_scale),
        LENGTH,
    )
