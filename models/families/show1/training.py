"""Training of the pixel stages of Show-1: keyframes, interpolation and super-resolution (sections 3.3 to 3.5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self, TypeVar

import torch
from diffusers import SchedulerMixin
from einops import rearrange
from torch import Generator, Tensor
from torch.nn import functional

from cascade.models.checkpoints.conversion import initialise
from cascade.models.checkpoints.files import read_weights
from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.checkpoints.network import CheckpointNetwork, own_names
from cascade.models.clip import Clip
from cascade.models.families.show1.interpolation import Interpolation, window_conditions
from cascade.models.families.show1.keyframes import Keyframes
from cascade.models.families.show1.noise_augmentation import augment, augmentation_schedule
from cascade.models.families.show1.pixel_stage import PixelStage, pixel_scheduler
from cascade.models.families.show1.super_resolution import SuperResolution, resize
from cascade.models.presets.show1 import (
    InterpolationOptions,
    KeyframesOptions,
    SuperResolutionOptions,
)
from cascade.models.presets.spec import Preset, StageOptions, StageSpec
from cascade.models.training.batch import Batch, random_crop
from cascade.models.training.diffusion import noised, prediction_loss
from cascade.models.training.recipe import Phase, Recipe
from cascade.models.training.stage_training import CPU, DiffusionTraining
from cascade.models.training.text_conditioning import CaptionEncoder

OptionsT = TypeVar("OptionsT", bound=StageOptions)


class PixelTraining(DiffusionTraining[OptionsT]):
    """A pixel stage, with its T5.

    Attributes:
        stage_class: the stage, which names the class of its network.
    """

    stage_class: ClassVar[type[PixelStage[Any]]]

    @classmethod
    def load(
        cls, spec: StageSpec[OptionsT], recipe: Recipe, checkpoints: Checkpoints, _cascade: Preset
    ) -> Self:
        return cls.from_checkpoint(spec, recipe, checkpoints)

    @classmethod
    def from_checkpoint(cls, spec: StageSpec[OptionsT], recipe: Recipe, checkpoints: Checkpoints) -> Self:
        """Begin with the stage's own checkpoint. Raises CheckpointError naming what is missing."""
        captions = CaptionEncoder(checkpoints.t5(spec.text_encoder, CPU, clean=spec.clean_captions))
        unet = checkpoints.network(spec.checkpoint, cls.stage_class.network, CPU).requires_grad_(True)
        return cls(spec, recipe, unet, captions, pixel_scheduler(spec, checkpoints))

    def stage(self) -> PixelStage[OptionsT]:
        return self.stage_class(self.unet, self.scheduler, self.captions.text, self.execution)


class KeyframesTraining(PixelTraining[KeyframesOptions]):
    """Noise to keyframes (section 3.3). The phase `spatial` learns images: one frame of each clip."""

    stage_class: ClassVar[type[PixelStage[Any]]] = Keyframes

    def forward(self, batch: Batch, phase: Phase, generator: Generator) -> Tensor:
        """Compute the diffusion loss of clips (batch, frames, 3, height, width), or of one frame of each: a scalar."""
        clean = rearrange(batch.frames, "b f c h w -> b c f h w")
        text = self.text(batch, generator)
        if phase.trainable == "spatial":
            clean = select_frame(clean, random_frame(clean, generator))
        sample, timesteps, target = noised(clean, self.recipe, self.scheduler, generator)
        return prediction_loss(self.unet(sample, timesteps, text), target)


def random_frame(video: Tensor, generator: Generator) -> Tensor:
    """Draw the number of a frame for each of (batch, channels, frames, height, width): (batch,)."""
    return torch.randint(video.shape[2], (video.shape[0],), generator=generator)


def select_frame(video: Tensor, frame: Tensor) -> Tensor:
    """Take one frame, by its number (batch,), of each of (batch, channels, frames, height, width).

    Returns:
        (batch, channels, 1, height, width).
    """
    return video[torch.arange(video.shape[0]), :, frame][:, :, None]


class InterpolationTraining(PixelTraining[InterpolationOptions]):
    """The frames between two keyframes (section 3.4); conditions and masks as the stage makes them."""

    stage_class: ClassVar[type[PixelStage[Any]]] = Interpolation

    @classmethod
    def load(
        cls, spec: StageSpec[InterpolationOptions], recipe: Recipe, checkpoints: Checkpoints, cascade: Preset
    ) -> Self:
        training = cls.from_checkpoint(spec, recipe, checkpoints)
        weights = read_weights(checkpoints.path(cascade.stages[0].checkpoint) / "unet")
        training.start_from(own_names(training.unet, weights))
        return training

    def start_from(self, keyframes: Mapping[str, Tensor]) -> None:
        """Begin as the keyframes UNet (section 3.4); the channels of the condition begin as zeros.

        Args:
            keyframes: its weights by name.
        """
        initialise(self.unet, keyframes)

    def forward(self, batch: Batch, _phase: Phase, generator: Generator) -> Tensor:
        """Compute the diffusion loss of a random window of each clip (batch, frames, 3, height, width): a scalar."""
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

    def previous(self, batch: Batch) -> Clip:
        return Clip(batch.frames[:1, :: self.spec.options.frames_between + 1], self.spec.fps)


class SuperResolutionTraining(PixelTraining[SuperResolutionOptions]):
    """A window from its low resolution (section 3.5), by noise conditioning augmentation (Ho et al., 2022): the condition is
    noised at a random level, and its first frame is the true one.

    The batch has whole clips; crops are cut out of them and of their resized low resolution alike: resized with aligned
    corners, a crop alone would lie elsewhere than it does in the whole picture.
    """

    stage_class: ClassVar[type[SuperResolution]] = SuperResolution

    def __init__(
        self,
        spec: StageSpec[SuperResolutionOptions],
        recipe: Recipe,
        unet: CheckpointNetwork,
        captions: CaptionEncoder,
        scheduler: SchedulerMixin,
    ) -> None:
        super().__init__(spec, recipe, unet, captions, scheduler)
        self.augmentation = augmentation_schedule()

    @property
    def window(self) -> int:
        """Frames that the network upscales at once."""
        return self.spec.options.window

    def crop(self, _phase: Phase) -> None:
        return None

    def forward(self, batch: Batch, phase: Phase, generator: Generator) -> Tensor:
        """Compute the diffusion loss of a random window of clips (batch, frames, 3, height, width): a scalar."""
        frames = random_span(batch.frames, self.window, generator)
        condition = resize(self.low_resolution(frames, generator), *frames.shape[-2:])
        if phase.crop is not None:
            both = torch.stack([frames, rearrange(condition, "b c f h w -> b f c h w")])
            frames, cropped = random_crop(both, phase.crop, generator)
            condition = rearrange(cropped, "b f c h w -> b c f h w")
        level = int(torch.randint(self.recipe.max_noise_level + 1, (), generator=generator))
        noise = torch.randn(condition.shape, generator=generator).to(condition.device)
        condition = augment(condition, noise, level, self.augmentation)
        has_previous = self.has_previous(frames.shape[0], generator)[:, None, None, None].to(frames.device)
        without = self.without_previous(condition[:, :, 0])
        condition[:, :, 0] = torch.where(has_previous, frames[:, 0], without)

        clean = rearrange(frames, "b f c h w -> b c f h w")
        sample, timesteps, target = noised(clean, self.recipe, self.scheduler, generator)
        labels = None
        if self.unet.takes_noise_level:
            labels = torch.full((frames.shape[0],), level, device=frames.device)
        inputs = torch.cat([sample, condition], dim=1)
        return prediction_loss(self.unet(inputs, timesteps, self.text(batch, generator), labels), target)

    def has_previous(self, videos: int, generator: Generator) -> Tensor:
        """Draw which of the videos have a frame before the window: (batch,), bool."""
        return torch.rand(videos, generator=generator) >= self.recipe.previous_dropout

    def without_previous(self, noised_first: Tensor) -> Tensor:
        """Return what first windows begin with, in the place of their own noised frame (batch, channels, height, width)."""
        return torch.zeros_like(noised_first) if self.stage_class.blank_without_previous else noised_first

    def low_resolution(self, frames: Tensor, _generator: Generator) -> Tensor:
        """Make what the stage before would give: (batch, frames, channels, height, width) to a quarter of height and width."""
        return downscale(frames, 4)

    def previous(self, batch: Batch) -> Clip:
        return Clip(downscale(batch.frames[:1], 4), self.spec.fps)


def random_span(frames: Tensor, length: int | None, generator: Generator) -> Tensor:
    """Cut a random span of `length` frames out of (batch, frames, channels, height, width); None leaves them whole."""
    if length is None:
        return frames
    start = int(torch.randint(frames.shape[1] - length + 1, (), generator=generator))
    return frames[:, start : start + length]


def downscale(frames: Tensor, factor: int) -> Tensor:
    """Average squares of pixels: (batch, frames, channels, height, width) to (..., height / factor, width / factor)."""
    folded = rearrange(frames, "b f c h w -> (b f) c h w")
    low = functional.interpolate(folded, scale_factor=1 / factor, mode="area")
    return rearrange(low, "(b f) c h w -> b f c h w", b=frames.shape[0])
