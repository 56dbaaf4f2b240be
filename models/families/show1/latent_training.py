"""Training of the latent stage of Show-1, expert translation (section 3.6), and of the autoencoder that it works with."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Self

import torch
from diffusers import AutoencoderKL, SchedulerMixin
from einops import rearrange
from torch import Generator, Tensor
from torch.nn import functional

from cascade.models.checkpoints.files import write_checksums
from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.checkpoints.writing import write_vae
from cascade.models.clip import Clip
from cascade.models.families.show1.expert_translation import ExpertTranslation
from cascade.models.families.show1.latent_unet import LatentVideoUNet
from cascade.models.families.show1.training import downscale, random_span
from cascade.models.presets.show1 import ExpertTranslationOptions
from cascade.models.presets.spec import Preset, StageSpec
from cascade.models.training.batch import Batch
from cascade.models.training.diffusion import noised, prediction_loss
from cascade.models.training.recipe import Phase, Recipe
from cascade.models.training.stage_training import CPU, DiffusionTraining, StageTraining
from cascade.models.training.text_conditioning import CaptionEncoder


class ExpertTranslationTraining(DiffusionTraining[ExpertTranslationOptions]):
    """Latents of real clips, noised up to timestep 900 only: the expert never starts from pure noise (section 3.6)."""

    unet: LatentVideoUNet

    def __init__(
        self,
        spec: StageSpec[ExpertTranslationOptions],
        recipe: Recipe,
        unet: LatentVideoUNet,
        captions: CaptionEncoder,
        scheduler: SchedulerMixin,
        vae: AutoencoderKL,
    ) -> None:
        super().__init__(spec, recipe, unet, captions, scheduler)
        self.vae: AutoencoderKL = vae.requires_grad_(False)

    @classmethod
    def load(
        cls,
        spec: StageSpec[ExpertTranslationOptions],
        recipe: Recipe,
        checkpoints: Checkpoints,
        _cascade: Preset,
    ) -> Self:
        captions = CaptionEncoder(checkpoints.clip(spec.text_encoder, CPU))
        unet = checkpoints.network(spec.checkpoint, LatentVideoUNet, CPU).requires_grad_(True)
        scheduler = checkpoints.scheduler(spec.checkpoint)
        return cls(spec, recipe, unet, captions, scheduler, checkpoints.vae(spec.checkpoint, CPU))

    def forward(self, batch: Batch, _phase: Phase, generator: Generator) -> Tensor:
        """Compute the diffusion loss of the latents of clips (batch, frames, 3, height, width): a scalar."""
        frames = random_span(batch.frames, self.recipe.window, generator)
        folded = rearrange(frames, "b f c h w -> (b f) c h w")
        with torch.no_grad():
            moments = self.vae.encode(folded).latent_dist
            drawn = torch.randn(moments.mean.shape, generator=generator).to(folded.device)
            latents = (moments.mean + moments.std * drawn) * self.vae.config.scaling_factor
        clean = rearrange(latents, "(b f) c h w -> b c f h w", b=batch.frames.shape[0])
        sample, timesteps, target = noised(clean, self.recipe, self.scheduler, generator)
        return prediction_loss(self.unet(sample, timesteps, self.text(batch, generator)), target)

    def write(self, folder: Path, dtype: torch.dtype) -> None:
        write_vae(folder, self.vae, dtype)
        super().write(folder, dtype)

    def stage(self) -> ExpertTranslation:
        return ExpertTranslation(self.unet, self.scheduler, self.vae, self.captions.text, self.execution)

    def previous(self, batch: Batch) -> Clip:
        return Clip(downscale(batch.frames[:1], 2), self.spec.fps)


class AutoencoderTraining(StageTraining[ExpertTranslationOptions]):
    """The autoencoder of the latent stage: reconstruction, and a weak pull of the latents to a standard normal (Kingma and
    Welling, 2014, with the weight of Rombach et al., 2022)."""

    frames: ClassVar[int | None] = 3
    KL_WEIGHT = 1e-6
    STD_DECAY = 0.99

    latent_std: Tensor

    def __init__(self, spec: StageSpec[ExpertTranslationOptions], recipe: Recipe, vae: AutoencoderKL) -> None:
        super().__init__()
        self.spec, self.recipe = spec, recipe
        self.vae: AutoencoderKL = vae.requires_grad_(True)
        self.register_buffer("latent_std", torch.tensor(1 / vae.config.scaling_factor))

    @classmethod
    def load(
        cls,
        spec: StageSpec[ExpertTranslationOptions],
        recipe: Recipe,
        checkpoints: Checkpoints,
        _cascade: Preset,
    ) -> Self:
        return cls(spec, recipe, checkpoints.vae(spec.checkpoint, CPU))

    def forward(self, batch: Batch, _phase: Phase, generator: Generator) -> Tensor:
        """Compute the L1 loss and the KL divergence of a random frame of each clip (batch, frames, 3, height, width).

        Returns:
            Their weighted sum, a scalar.
        """
        frame = torch.randint(batch.frames.shape[1], (batch.frames.shape[0],), generator=generator)
        images = batch.frames[torch.arange(batch.frames.shape[0]), frame]
        moments = self.vae.encode(images).latent_dist
        self.latent_std.lerp_(moments.mean.detach().float().std(), 1 - self.STD_DECAY)
        drawn = torch.randn(moments.mean.shape, generator=generator).to(images.device)
        decoded = self.vae.decode(moments.mean + moments.std * drawn).sample
        loss: Tensor = functional.l1_loss(decoded, images) + self.KL_WEIGHT * moments.kl().mean()
        return loss

    def write(self, folder: Path, dtype: torch.dtype) -> None:
        """Write the autoencoder with the scaling factor that brings latents to a standard deviation of 1."""
        self.vae.register_to_config(scaling_factor=1 / float(self.latent_std))
        write_vae(folder, self.vae, dtype)
        write_checksums(folder)

    def sample(self, batch: Batch, _seed: int) -> Clip:
        with torch.inference_mode():
            decoded = self.vae.decode(self.vae.encode(batch.frames[0]).latent_dist.mean).sample
        return Clip(decoded[None], self.spec.fps)
