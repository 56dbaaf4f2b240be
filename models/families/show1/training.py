"""What each stage learns: a module whose forward is the loss of a batch, made from a checkpoint and written as one."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import torch
from diffusers import AutoencoderKL, DDPMScheduler
from einops import rearrange
from torch import Generator, Tensor, nn
from torch.nn import functional

from cascade.models.checkpoints.files import write_checksums
from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.checkpoints.writing import write_text, write_unet, write_vae
from cascade.models.clip import Clip
from cascade.models.families.shapes.caption_questions import Reading
from cascade.models.families.shapes.moving_shapes import shape_maps
from cascade.models.families.show1.expert_translation import ExpertTranslation
from cascade.models.families.show1.inflation import initialise
from cascade.models.families.show1.interpolation import Interpolation, window_conditions
from cascade.models.families.show1.keyframes import Keyframes
from cascade.models.families.show1.noise_augmentation import augment, augmentation_schedule
from cascade.models.families.show1.pixel_stage import pixel_scheduler
from cascade.models.families.show1.super_resolution import SuperResolution, resize
from cascade.models.layers.temporal import enable_temporal, is_temporal
from cascade.models.presets.spec import StageSpec
from cascade.models.runtime.execution import Execution
from cascade.models.stage import StageInputs
from cascade.models.training.batch import Batch, random_crop
from cascade.models.training.diffusion import noised, prediction_loss
from cascade.models.training.recipe import Phase, Recipe
from cascade.models.training.text_conditioning import CaptionEncoder

CPU = Execution(device="cpu", dtype="float32")


class StageTraining(nn.Module):
    """One stage while it learns. The attributes that are networks are what is trained and saved.

    `frames` of the clips that it is shown; None: as many as the stage makes.
    """

    frames: int | None = None
    spec: StageSpec
    recipe: Recipe

    def select(self, phase: Phase) -> None:
        """Let only some of the parameters learn."""

    def cut(self, phase: Phase) -> tuple[int, int] | None:
        """The crop of the clips that it is shown; None shows them whole."""
        return phase.crop

    @abstractmethod
    def forward(self, batch: Batch, phase: Phase, generator: Generator) -> Tensor:
        """The loss of a batch. All that is random comes from `generator`, a CPU one."""

    @abstractmethod
    def write(self, folder: Path, dtype: torch.dtype) -> None:
        """Write the networks as a checkpoint."""

    @abstractmethod
    def sample(self, batch: Batch, seed: int) -> Clip:
        """What the stage makes of the captions (and lower resolutions) of a batch, for people to look at."""


class DiffusionTraining(StageTraining):
    """What the stages with a UNet share."""

    def __init__(
        self, spec: StageSpec, recipe: Recipe, unet: nn.Module, captions: CaptionEncoder, scheduler: Any
    ) -> None:
        super().__init__()
        self.spec, self.recipe, self.unet, self.captions = spec, recipe, unet, captions
        self.scheduler = scheduler

    def select(self, phase: Phase) -> None:
        self.captions.select(trained=phase.train_text)
        enable_temporal(self.unet, enabled=phase.trainable != "spatial")
        for name, parameter in self.unet.named_parameters():
            part = "layout" if name.startswith("layout.") else "temporal" if is_temporal(name) else "spatial"
            learns = part == phase.trainable or (phase.trainable == "all" and part != "layout")
            parameter.requires_grad_(learns)

    def text(self, batch: Batch, generator: Generator) -> Tensor:
        return self.captions(batch.captions, self.recipe.caption_dropout, generator)

    def write(self, folder: Path, dtype: torch.dtype) -> None:
        write_unet(folder, self.unet, self.unet.config, dtype)
        self.scheduler.save_pretrained(folder / "scheduler")
        if self.recipe.train_text:
            write_text(folder, self.captions.encoder, self.captions.tokenizer, dtype)
        write_checksums(folder)

    @property
    def execution(self) -> Execution:
        """Where the networks are now."""
        return Execution(device=str(next(self.parameters()).device), dtype="float32")

    def inputs(self, batch: Batch, seed: int, clip: Clip | None) -> StageInputs:
        """One clip's inputs for the real stage."""
        caption = batch.captions[0]
        return StageInputs(self.spec, caption, "", self.captions.text.encode(caption, ""), (seed,), clip)


class PixelTraining(DiffusionTraining):
    """A pixel stage, with its T5."""

    @classmethod
    def load(cls, spec: StageSpec, recipe: Recipe, checkpoints: Checkpoints) -> Self:
        captions = CaptionEncoder(checkpoints.t5(spec.text_encoder, CPU, clean=spec.clean_captions))
        unet = checkpoints.pixel_unet(spec.checkpoint, CPU).requires_grad_(True)
        return cls(spec, recipe, unet, captions, pixel_scheduler(spec, checkpoints))


class KeyframesTraining(PixelTraining):
    """Noise to keyframes (Show-1, section 3.3): images first, frame by frame, then clips.

    Before that, where they start from nothing, the text encoder learns to read, and the UNet's layout what captions
    look like on average.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)  # its layers are in no checkpoint, and a run is fixed by its seed
            self.reading = Reading(self.captions.encoder.config.d_model)

    def select(self, phase: Phase) -> None:
        super().select(phase)
        self.reading.requires_grad_(phase.trainable == "reading")

    def forward(self, batch: Batch, phase: Phase, generator: Generator) -> Tensor:
        if phase.trainable == "reading":
            return self.reading(self.captions, phase.batch_size, generator)
        clean = rearrange(batch.frames, "b f c h w -> b c f h w")
        text = self.text(batch, generator)
        if phase.trainable == "layout":
            layout = self.unet.layout(text)
            target = functional.adaptive_avg_pool3d(layout_target(batch), self.unet.config.layout)
            return functional.mse_loss(layout.float()[:, : target.shape[1]], target)
        layout = None if self.unet.config.layout is None else self.unet.layout_of(text, clean.shape[2:])
        if phase.trainable == "spatial":
            chosen = torch.randint(clean.shape[2], (clean.shape[0],), generator=generator)
            clean = _frame(clean, chosen)
            layout = None if layout is None else _frame(layout, chosen)
        sample, timesteps, target = noised(clean, self.recipe, self.scheduler, generator)
        return prediction_loss(self.unet(sample, timesteps, text, layout=layout), target)

    def sample(self, batch: Batch, seed: int) -> Clip:
        stage = Keyframes(self.unet, self.scheduler, self.captions.text, self.execution)
        return stage(self.inputs(batch, seed, None), lambda *_: None)


def layout_target(batch: Batch) -> Tensor:
    """What a layout is the mean of: the clips and, where they are moving shapes, twice the maps of their shapes.

    Twice, as they then vary about as much as the colours do.

    Returns:
        (batch, 3 or LAYOUT_CHANNELS, frames, height, width).
    """
    parts, (frames, _, height, width) = [batch.frames], batch.frames.shape[1:]
    if batch.scenes:
        maps = torch.stack([shape_maps(scene, frames, height, width) for scene in batch.scenes])
        parts.append(2 * maps.to(batch.frames))
    return rearrange(torch.cat(parts, dim=2), "b f c h w -> b c f h w")


def _frame(video: Tensor, chosen: Tensor) -> Tensor:
    """One frame of each of (batch, channels, frames, height, width): (batch, channels, 1, height, width)."""
    return video[torch.arange(video.shape[0]), :, chosen][:, :, None]


class InterpolationTraining(PixelTraining):
    """The frames between two keyframes (Show-1, section 3.4); conditions and masks as the stage makes them."""

    def start_from(self, keyframes: Mapping[str, Tensor]) -> None:
        """Begin as the keyframes UNet (section 3.4), but for its layout and, where residual, its last convolution."""
        pixels = 3 * self.unet.config.patch_size**2
        shared = {
            name: weight[:, :pixels] if name == "conv_in.weight" else weight
            for name, weight in keyframes.items()
            if not (self.unet.config.residual and name.startswith("conv_out."))
        }
        initialise(self.unet, shared)

    def forward(self, batch: Batch, _: Phase, generator: Generator) -> Tensor:
        between = self.spec.options.frames_between
        windows = (batch.frames.shape[1] - 1) // (between + 1)
        starts = torch.randint(windows, (batch.frames.shape[0],), generator=generator) * (between + 1)
        frames = torch.stack(
            [clip[start : start + between + 2] for clip, start in zip(batch.frames, starts, strict=True)]
        )
        clean = rearrange(frames, "b f c h w -> b c f h w")
        condition = window_conditions(frames[:, [0, -1]], between)
        sample, timesteps, target = noised(clean, self.recipe, self.scheduler, generator)
        prediction = self.unet(torch.cat([sample, condition], dim=1), timesteps, self.text(batch, generator))
        return prediction_loss(prediction, target)

    def sample(self, batch: Batch, seed: int) -> Clip:
        stage = Interpolation(self.unet, self.scheduler, self.captions.text, self.execution)
        keyframes = Clip(batch.frames[:1, :: self.spec.options.frames_between + 1], self.spec.fps)
        return stage(self.inputs(batch, seed, keyframes), lambda *_: None)


class SuperResolutionTraining(PixelTraining):
    """A window from its low resolution (Show-1, section 3.5): noised by a random level, its first frame known.

    It is shown whole clips, and cuts crops out of them and of their resized low resolution alike: resized with aligned
    corners, a crop alone would lie elsewhere than it does in the whole picture.
    """

    augmentation: DDPMScheduler

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.augmentation = augmentation_schedule()

    def cut(self, _: Phase) -> None:
        return None

    def forward(self, batch: Batch, phase: Phase, generator: Generator) -> Tensor:
        frames = self._window(batch.frames, generator)
        low = functional.interpolate(
            rearrange(frames, "b f c h w -> (b f) c h w"), scale_factor=0.25, mode="area"
        )
        low = rearrange(low, "(b f) c h w -> b f c h w", b=frames.shape[0])
        condition = resize(low, *frames.shape[-2:])
        if phase.crop is not None:
            both = torch.stack([frames, rearrange(condition, "b c f h w -> b f c h w")])
            frames, cropped = random_crop(both, phase.crop, generator)
            condition = rearrange(cropped, "b f c h w -> b c f h w")
        level = int(torch.randint(self.recipe.max_noise_level + 1, (), generator=generator))
        noise = torch.randn(condition.shape, generator=generator).to(condition.device)
        condition = augment(condition, noise, level, self.augmentation)
        known = torch.rand(frames.shape[0], generator=generator) >= self.recipe.previous_dropout
        condition[:, :, 0] = frames[:, 0] * known[:, None, None, None].to(frames)

        clean = rearrange(frames, "b f c h w -> b c f h w")
        sample, timesteps, target = noised(clean, self.recipe, self.scheduler, generator)
        labels = None
        if self.unet.config.class_embed_type is not None:
            labels = torch.full((frames.shape[0],), level, device=frames.device)
        inputs = torch.cat([sample, condition], dim=1)
        return prediction_loss(self.unet(inputs, timesteps, self.text(batch, generator), labels), target)

    def _window(self, frames: Tensor, generator: Generator) -> Tensor:
        length = self.spec.options.window
        start = int(torch.randint(frames.shape[1] - length + 1, (), generator=generator))
        return frames[:, start : start + length]

    def sample(self, batch: Batch, seed: int) -> Clip:
        stage = SuperResolution(self.unet, self.scheduler, self.captions.text, self.execution)
        low = functional.interpolate(batch.frames[0], scale_factor=0.25, mode="area")[None]
        return stage(self.inputs(batch, seed, Clip(low, self.spec.fps)), lambda *_: None)


class ExpertTranslationTraining(DiffusionTraining):
    """Latents of real clips, noised up to timestep 900 only: the expert never starts from pure noise (section 3.6)."""

    def __init__(self, *args: Any, vae: AutoencoderKL) -> None:
        super().__init__(*args)
        self.vae = vae.requires_grad_(False)

    @classmethod
    def load(cls, spec: StageSpec, recipe: Recipe, checkpoints: Checkpoints) -> Self:
        captions = CaptionEncoder(checkpoints.clip(spec.text_encoder, CPU))
        unet = checkpoints.latent_unet(spec.checkpoint, CPU).requires_grad_(True)
        scheduler = checkpoints.scheduler(spec.checkpoint)
        return cls(spec, recipe, unet, captions, scheduler, vae=checkpoints.vae(spec.checkpoint, CPU))

    def forward(self, batch: Batch, _: Phase, generator: Generator) -> Tensor:
        folded = rearrange(batch.frames, "b f c h w -> (b f) c h w")
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

    def sample(self, batch: Batch, seed: int) -> Clip:
        stage = ExpertTranslation(self.unet, self.scheduler, self.vae, self.captions.text, self.execution)
        low = functional.interpolate(batch.frames[0], scale_factor=0.5, mode="area")[None]
        return stage(self.inputs(batch, seed, Clip(low, self.spec.fps)), lambda *_: None)


class AutoencoderTraining(StageTraining):
    """The autoencoder of the latent stage: reconstruction, and a weak pull of the latents to a standard normal."""

    frames = 3
    KL_WEIGHT = 1e-6
    STD_DECAY = 0.99

    latent_std: Tensor

    def __init__(self, spec: StageSpec, recipe: Recipe, vae: AutoencoderKL) -> None:
        super().__init__()
        self.spec, self.recipe, self.vae = spec, recipe, vae.requires_grad_(True)
        self.register_buffer("latent_std", torch.tensor(1 / vae.config.scaling_factor))

    @classmethod
    def load(cls, spec: StageSpec, recipe: Recipe, checkpoints: Checkpoints) -> Self:
        return cls(spec, recipe, checkpoints.vae(spec.checkpoint, CPU))

    def forward(self, batch: Batch, _: Phase, generator: Generator) -> Tensor:
        chosen = torch.randint(batch.frames.shape[1], (batch.frames.shape[0],), generator=generator)
        images = batch.frames[torch.arange(batch.frames.shape[0]), chosen]
        moments = self.vae.encode(images).latent_dist
        self.latent_std.lerp_(moments.mean.detach().float().std(), 1 - self.STD_DECAY)
        drawn = torch.randn(moments.mean.shape, generator=generator).to(images.device)
        decoded = self.vae.decode(moments.mean + moments.std * drawn).sample
        return functional.l1_loss(decoded, images) + self.KL_WEIGHT * moments.kl().mean()

    def write(self, folder: Path, dtype: torch.dtype) -> None:
        """The scaling factor brings latents to a standard deviation of 1."""
        self.vae.register_to_config(scaling_factor=1 / float(self.latent_std))
        write_vae(folder, self.vae, dtype)
        write_checksums(folder)

    def sample(self, batch: Batch, _: int) -> Clip:
        with torch.inference_mode():
            decoded = self.vae.decode(self.vae.encode(batch.frames[0]).latent_dist.mean).sample
        return Clip(decoded[None], self.spec.fps)


TRAININGS: dict[str, tuple[str, Any]] = {
    "keyframes": ("keyframes", KeyframesTraining),
    "interpolation": ("interpolation", InterpolationTraining),
    "super-resolution": ("super-resolution", SuperResolutionTraining),
    "expert-translation": ("expert-translation", ExpertTranslationTraining),
    "autoencoder": ("expert-translation", AutoencoderTraining),
}
