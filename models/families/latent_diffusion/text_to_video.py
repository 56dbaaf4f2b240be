"""Text to video in one stage: a latent video UNet from pure noise, then the autoencoder's decoder (sections 3.1 and 3.2)."""

from __future__ import annotations

from typing import ClassVar, Self, TypeVar

import torch
from diffusers import AutoencoderKL, AutoencoderKLCogVideoX
from einops import rearrange
from torch import Tensor

from cascade.models.checkpoints.files import Requirement
from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.clip import Clip
from cascade.models.diffusion.autoencoding import decode_frames
from cascade.models.diffusion.guidance import guided_predictor
from cascade.models.diffusion.progress import PlannedSteps
from cascade.models.diffusion.sampling import draw_noise, sample_from_noise, seeded_generators
from cascade.models.diffusion.schedules import Scheduler
from cascade.models.errors import CheckpointError
from cascade.models.families.latent_diffusion.video_autoencoder import decode_clips, frames_per_latent
from cascade.models.families.show1.latent_unet import LatentVideoUNet
from cascade.models.presets.latent_diffusion import LatentTextToVideoOptions
from cascade.models.presets.spec import StageSpec
from cascade.models.runtime.device import resident, resolve_device
from cascade.models.runtime.execution import Execution
from cascade.models.stage import OnStep, Stage, StageInputs
from cascade.models.text.encoders import LazyEncoder, PromptEncoder

OptionsT = TypeVar("OptionsT", bound=LatentTextToVideoOptions)


class LatentTextToVideo(Stage[OptionsT]):
    """Samples the latents of a clip from noise and text, and decodes them.

    Attributes:
        network: the class of the UNet.
    """

    network: ClassVar[type[LatentVideoUNet]] = LatentVideoUNet

    def __init__(
        self,
        unet: LatentVideoUNet,
        scheduler: Scheduler,
        vae: AutoencoderKL | AutoencoderKLCogVideoX,
        text: PromptEncoder,
        execution: Execution,
    ) -> None:
        self.unet, self.scheduler, self.vae, self.text = unet, scheduler, vae, text
        self.execution, self.device = execution, resolve_device(execution)

    @classmethod
    def load(cls, spec: StageSpec[OptionsT], checkpoints: Checkpoints, execution: Execution) -> Self:
        images_only = spec.options.frames_per_latent == 1
        stage = cls(
            checkpoints.network(spec.checkpoint, cls.network, execution),
            checkpoints.scheduler(spec.checkpoint),
            (checkpoints.vae if images_only else checkpoints.video_vae)(spec.checkpoint, execution),
            LazyEncoder(lambda: checkpoints.clip(spec.text_encoder, execution)),
            execution,
        )
        check_latents(stage.unet, stage.vae, spec)
        return stage

    @classmethod
    def requirements(cls, spec: StageSpec[OptionsT]) -> tuple[Requirement, ...]:
        text = ("text_encoder", "tokenizer") if spec.text_encoder == spec.checkpoint else ()
        parts = ("unet", "scheduler", "vae", *text)
        return (Requirement(spec.checkpoint, parts, {"unet": cls.network}),)

    @torch.inference_mode()
    def __call__(self, inputs: StageInputs[OptionsT], on_step: OnStep) -> Clip:
        spec = inputs.spec
        generators = seeded_generators(inputs.seeds)
        shape = (self.vae.config.latent_channels, *spec.options.latent_size(spec))
        noise = draw_noise(shape, generators, self.device)
        report = PlannedSteps(on_step, spec.planned_steps(len(inputs.seeds))).part(spec.steps)
        with resident(self.unet, self.execution):
            predict = guided_predictor(self.unet, inputs.embeddings, spec.guidance_scale)
            sample = sample_from_noise(predict, noise, self.scheduler, spec.steps, generators, report)
        with resident(self.vae, self.execution):
            frames = self._decode(rearrange(sample, "b c f h w -> b f c h w"))
        return Clip(frames.cpu(), spec.fps)

    def _decode(self, latents: Tensor) -> Tensor:
        """Decode latents (batch, frames, channels, height, width) to pixels, about [-1, 1]."""
        if isinstance(self.vae, AutoencoderKLCogVideoX):
            return decode_clips(self.vae, latents)
        return decode_frames(self.vae, latents, self.execution)


def check_latents(
    unet: LatentVideoUNet, vae: AutoencoderKL | AutoencoderKLCogVideoX, spec: StageSpec[OptionsT]
) -> None:
    """Refuse an autoencoder whose latents are not those of the UNet or of the preset. Raises CheckpointError."""
    channels = vae.config.latent_channels
    if unet.config.in_channels != channels:
        raise CheckpointError(
            f'checkpoint "{spec.checkpoint}": the UNet takes {unet.config.in_channels} channels; the latents of its '
            f"autoencoder have {channels}"
        )
    found = 2 ** (len(vae.config.block_out_channels) - 1), frames_per_latent(vae)
    expected = spec.options.pixels_per_latent, spec.options.frames_per_latent
    if found != expected:
        raise CheckpointError(
            f'checkpoint "{spec.checkpoint}": its autoencoder makes a latent of {found[0]} pixels and {found[1]} frames; '
            f"stage {spec.name} is made for {expected[0]} pixels and {expected[1]} frames"
        )
