"""Training of the small cascade's pixel stages: as Show-1's, but for what the networks have more.

The latent stage and its autoencoder are trained by Show-1's own trainings.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar, Self

import torch
from diffusers import SchedulerMixin
from einops import rearrange
from torch import Generator, Tensor
from torch.nn import functional

from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.clip import Clip
from cascade.models.families.shapes.caption_questions import CaptionQuestions
from cascade.models.families.shapes.deformation import deform
from cascade.models.families.shapes.drawing import shape_maps
from cascade.models.families.shapes.image_unet import ShapesImageUNet
from cascade.models.families.shapes.layout import draw_layouts, layout_of
from cascade.models.families.shapes.moving_shapes import Annotation
from cascade.models.families.shapes.stages import (
    SmallFirstFrame,
    SmallInterpolation,
    SmallKeyframes,
    SmallSuperResolution,
)
from cascade.models.families.shapes.unet import ShapesUNet
from cascade.models.families.show1 import motion_training
from cascade.models.families.show1.motion_training import MotionTraining
from cascade.models.families.show1.pixel_stage import PixelStage
from cascade.models.families.show1.super_resolution import SuperResolution
from cascade.models.families.show1.training import (
    InterpolationTraining,
    KeyframesTraining,
    SuperResolutionTraining,
    random_frame,
    select_frame,
)
from cascade.models.presets.show1 import FirstFrameSpec, KeyframesOptions, SuperResolutionOptions
from cascade.models.presets.spec import Preset, StageSpec
from cascade.models.stage import StageInputs
from cascade.models.training.batch import Batch
from cascade.models.training.diffusion import noised, prediction_loss
from cascade.models.training.recipe import Phase, Recipe
from cascade.models.training.stage_training import CPU
from cascade.models.training.text_conditioning import CaptionEncoder

PRIOR, QUESTIONS = "prior", "questions"


class SmallKeyframesTraining(KeyframesTraining):
    """Noise to keyframes, from nothing.

    Phases beside Show-1's: `questions` trains the text encoder, and the layers by which the caption prior reads it, by questions
    about captions; `prior` trains the caption prior on squared error.
    """

    stage_class: ClassVar[type[PixelStage[Any]]] = SmallKeyframes
    groups = (*KeyframesTraining.groups, PRIOR, QUESTIONS)
    unet: ShapesUNet

    def __init__(
        self,
        spec: StageSpec[KeyframesOptions],
        recipe: Recipe,
        unet: ShapesUNet,
        captions: CaptionEncoder,
        scheduler: SchedulerMixin,
    ) -> None:
        super().__init__(spec, recipe, unet, captions, scheduler)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)  # its layers are in no checkpoint, and a run is fixed by its seed
            self.questions = CaptionQuestions()

    def select(self, phase: Phase) -> None:
        super().select(phase)
        asking = phase.trainable == QUESTIONS
        self.questions.requires_grad_(asking)
        if asking and self.unet.prior is not None:
            self.unet.prior.norm_text.requires_grad_(True)
            self.unet.prior.layers.requires_grad_(True)

    def group_of(self, parameter_name: str) -> str:
        return PRIOR if parameter_name.startswith("prior.") else super().group_of(parameter_name)

    def clips_per_step(self, phase: Phase) -> int:
        return 0 if phase.trainable == QUESTIONS else phase.batch_size

    def forward(self, batch: Batch, phase: Phase, generator: Generator) -> Tensor:
        """Compute the loss of the phase for clips (batch, frames, 3, height, width): a scalar."""
        if phase.trainable == QUESTIONS:
            assert self.unet.prior is not None
            loss: Tensor = self.questions(self.unet.prior, self.captions, phase.batch_size, generator)
            return loss
        text, layouts = self.text(batch, generator), training_layouts(batch, generator)
        if phase.trainable == PRIOR:
            return self._prior_loss(text, layouts, batch)
        clean = rearrange(batch.frames, "b f c h w -> b c f h w")
        prior = None if self.unet.prior is None else self.unet.prior_of(text, layouts, clean.shape[2:])
        if phase.trainable == "spatial":
            frame = random_frame(clean, generator)
            clean = select_frame(clean, frame)
            prior = None if prior is None else select_frame(prior, frame)
        sample, timesteps, target = noised(clean, self.recipe, self.scheduler, generator)
        return prediction_loss(self.unet(sample, timesteps, text, prior=prior), target)

    def _prior_loss(self, text: Tensor, layouts: Tensor, batch: Batch) -> Tensor:
        """Compute the squared error of the caption prior of text (batch, tokens, features) and layouts: a scalar."""
        assert self.unet.prior is not None
        prediction: Tensor = self.unet.prior(text, layouts)
        target = functional.adaptive_avg_pool3d(prior_target(batch), self.unet.prior.size)
        return functional.mse_loss(prediction.float()[:, : target.shape[1]], target)


def training_layouts(batch: Batch, generator: Generator) -> Tensor:
    """Return the layouts of a batch's scenes, (batch, len(VARIABLES)) in [-1, 1]; random where scenes are not known."""
    known = [annotation for annotation in batch.annotations if isinstance(annotation, Annotation)]
    if not known:
        seeds = torch.randint(2**62, (len(batch.captions),), generator=generator)
        return draw_layouts(seeds.tolist()).to(batch.frames.device)
    layouts = [layout_of(annotation.scene, annotation.mentions, generator) for annotation in known]
    return torch.stack(layouts).to(batch.frames.device)


def prior_target(batch: Batch) -> Tensor:
    """Return what the caption prior is the mean of: the clips and, where their scenes are known, maps of their shapes.

    The maps are doubled, as they then vary about as much as the colours do.

    Returns:
        (batch, 3 or PRIOR_CHANNELS, frames, height, width): colours in [-1, 1], then maps in [0, 2].
    """
    parts, (frames, _, height, width) = [batch.frames], batch.frames.shape[1:]
    scenes = [annotation.scene for annotation in batch.annotations if isinstance(annotation, Annotation)]
    if scenes:
        maps = torch.stack([shape_maps(scene, frames, height, width) for scene in scenes])
        parts.append(2 * maps.to(batch.frames))
    return rearrange(torch.cat(parts, dim=2), "b f c h w -> b c f h w")


class SmallInterpolationTraining(InterpolationTraining):
    """The frames between two keyframes, from nothing: the network is half as large as that of keyframes."""

    stage_class: ClassVar[type[PixelStage[Any]]] = SmallInterpolation

    def start_from(self, _keyframes: Mapping[str, Tensor]) -> None:
        """Leave the network as it is."""


class SmallSuperResolutionTraining(SuperResolutionTraining):
    """A window from its low resolution, deformed as the stages before deform it, by the small network."""

    stage_class: ClassVar[type[SuperResolution]] = SmallSuperResolution

    def low_resolution(self, frames: Tensor, generator: Generator) -> Tensor:
        """Reduce (batch, frames, channels, height, width) to a quarter of height and width, and deform it."""
        return deform(super().low_resolution(frames, generator), generator)


class FirstFrameTraining(SmallSuperResolutionTraining):
    """The image model that upscales the first frame: windows of one frame, without one before."""

    @classmethod
    def load(
        cls,
        spec: StageSpec[SuperResolutionOptions],
        recipe: Recipe,
        checkpoints: Checkpoints,
        _cascade: Preset,
    ) -> Self:
        captions = CaptionEncoder(checkpoints.t5(spec.text_encoder, CPU))
        name = _image_model(spec).checkpoint
        unet = checkpoints.network(name, ShapesImageUNet, CPU).requires_grad_(True)
        return cls(spec, recipe, unet, captions, checkpoints.scheduler(name))

    @property
    def window(self) -> int:
        return 1

    @property
    def checkpoint(self) -> str:
        return _image_model(self.spec).checkpoint

    def has_previous(self, videos: int, _generator: Generator) -> Tensor:
        """Return that none of the videos has a frame before: (batch,)."""
        return torch.zeros(videos, dtype=torch.bool)

    def without_previous(self, noised_first: Tensor) -> Tensor:
        """Return what a window begins with that has none before, its own noised frame (batch, channels, height, width)."""
        return noised_first

    @torch.inference_mode()
    def sample(self, batch: Batch, seed: int) -> Clip:
        """Upscale the first frame of a batch's first clip."""
        caption, spec = batch.captions[0], _image_model(self.spec)
        first_frame = SmallFirstFrame(spec, self.unet, self.scheduler, self.augmentation, self.execution)
        embeddings = self.captions.text.encode(caption, "")
        inputs = StageInputs(self.spec, caption, "", embeddings, (seed,), self.previous(batch))
        return Clip(first_frame(inputs)[:, None], self.spec.fps)


def _image_model(spec: StageSpec[SuperResolutionOptions]) -> FirstFrameSpec:
    assert spec.options.first_frame is not None
    return spec.options.first_frame


class SmallMotionTraining(MotionTraining, SmallKeyframesTraining):
    """The temporal attention of the network within, fine-tuned on one video."""


train_motion = partial(motion_training.train_motion, training=SmallMotionTraining)
"""Fine-tune on one video, as Show-1's `train_motion` does."""
