"""Expert translation: super-resolution at high spatial resolution by a latent video UNet (Show-1, section 3.6).

The clip is resized, encoded, noised to an intermediate timestep (SDEdit) and denoised with the same prompt.
"""

from __future__ import annotations

from typing import Self

import torch
from diffusers import AutoencoderKL
from einops import rearrange
from PIL import Image
from torch import Tensor

from cascade.models.checkpoints.files import Requirement
from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.clip import Clip
from cascade.models.diffusion.autoencoding import decode_frames, encode_frames
from cascade.models.diffusion.guidance import guided_predictor
from cascade.models.diffusion.progress import PlannedSteps
from cascade.models.diffusion.sampling import denoise, draw_noise, seeded_generators
from cascade.models.diffusion.schedules import Scheduler, inference_timesteps
from cascade.models.families.show1.latent_unet import LatentVideoUNet
from cascade.models.presets.show1 import ExpertTranslationOptions
from cascade.models.presets.spec import StageSpec, steps_at_strength
from cascade.models.runtime.device import resident, resolve_device
from cascade.models.runtime.execution import Execution
from cascade.models.stage import OnStep, Stage, StageInputs
from cascade.models.text.encoders import LazyEncoder, PromptEncoder


class ExpertTranslation(Stage[ExpertTranslationOptions]):
    """Translates a clip to a higher resolution in latent space, removing artifacts of the stages before."""

    def __init__(
        self,
        unet: LatentVideoUNet,
        scheduler: Scheduler,
        vae: AutoencoderKL,
        text: PromptEncoder,
        execution: Execution,
    ) -> None:
        self.unet, self.scheduler, self.vae, self.text = unet, scheduler, vae, text
        self.execution, self.device = execution, resolve_device(execution)

    @classmethod
    def load(
        cls, spec: StageSpec[ExpertTranslationOptions], checkpoints: Checkpoints, execution: Execution
    ) -> Self:
        return cls(
            checkpoints.network(spec.checkpoint, LatentVideoUNet, execution),
            checkpoints.scheduler(spec.checkpoint),
            checkpoints.vae(spec.checkpoint, execution),
            LazyEncoder(lambda: checkpoints.clip(spec.text_encoder, execution)),
            execution,
        )

    @classmethod
    def requirements(cls, spec: StageSpec[ExpertTranslationOptions]) -> tuple[Requirement, ...]:
        text = ("text_encoder", "tokenizer") if spec.text_encoder == spec.checkpoint else ()
        parts = ("unet", "scheduler", "vae", *text)
        return (Requirement(spec.checkpoint, parts, {"unet": LatentVideoUNet}),)

    @torch.inference_mode()
    def __call__(self, inputs: StageInputs[ExpertTranslationOptions], on_step: OnStep) -> Clip:
        spec, options = inputs.spec, inputs.spec.options
        clip = Clip(inputs.previous_frames(spec.frames), spec.fps)
        frames = resize_8bit(clip, spec.height, spec.width).to(self.device)  # b f c h w
        generators = seeded_generators(inputs.seeds)
        with resident(self.vae, self.execution):
            latents = encode_frames(self.vae, frames, generators, self.execution)  # b f c h/8 w/8

        planned = spec.planned_steps(len(inputs.seeds))
        report = PlannedSteps(on_step, planned).part(planned)
        timesteps = last_timesteps(inference_timesteps(self.scheduler, spec.steps), options.strength)
        noise = draw_noise(tuple(latents.shape[1:]), generators, self.device)
        noised = noise_to_timestep(latents, noise, timesteps[0], self.scheduler)
        sample = rearrange(noised, "b f c h w -> b c f h w")
        with resident(self.unet, self.execution):
            predict = guided_predictor(self.unet, inputs.embeddings, spec.guidance_scale)
            sample = denoise(predict, sample, self.scheduler, timesteps, generators, report)
        with resident(self.vae, self.execution):
            latents = rearrange(sample, "b c f h w -> b f c h w")
            frames = decode_frames(self.vae, latents, self.execution)
        return Clip(frames.cpu(), spec.fps)


def resize_8bit(clip: Clip, height: int, width: int) -> Tensor:
    """Resize the clip's 8-bit frames bicubically: (batch, frames, channels, height, width), in [-1, 1].

    As in the published code, the 8 bits are cut off and not rounded: values are below the clip's by half a step on average.
    """
    batch = clip.frames.shape[0]
    shares = (clip.frames.float() * 0.5 + 0.5).clamp(0, 1)
    pixels = (shares * 255).to(torch.uint8)  # rounds towards zero
    images = (Image.fromarray(frame.numpy()) for frame in rearrange(pixels, "b f c h w -> (b f) h w c").cpu())
    resized = [
        torch.frombuffer(
            bytearray(image.resize((width, height), Image.Resampling.BICUBIC).tobytes()), dtype=torch.uint8
        )
        for image in images
    ]
    frames = torch.stack(resized).view(batch, -1, height, width, 3)
    return rearrange(frames.float() / 127.5 - 1, "b f h w c -> b f c h w")


def last_timesteps(timesteps: Tensor, strength: float) -> Tensor:
    """Return the last int(steps·strength) of timesteps (count,), at least one: 40 of 50 at strength 0.8.

    The paper starts the expert at an intermediate timestep of training, 900 of 1000; of 50 steps 40 are
    run, from about timestep 780. Its training draws timesteps up to 900, so that the expert knows all it is given.
    """
    return timesteps[-steps_at_strength(len(timesteps), strength) :]


def noise_to_timestep(latents: Tensor, noise: Tensor, timestep: Tensor, scheduler: Scheduler) -> Tensor:
    """Add DDPM noise up to `timestep`, the start of expert translation (SDEdit, Meng et al., 2022).

    Args:
        latents, noise: (batch, frames, channels, height, width), VAE-scaled.
        timestep: 0 (clean) to 999 (noise).
    """
    return scheduler.add_noise(latents, noise, timestep.repeat(latents.shape[0]))
