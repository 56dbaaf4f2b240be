"""Training of the small cascade's pixel stages: as Show-1's, but for what the networks have more.

The latent stage and its autoencoder are trained by Show-1's own trainings.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar

import torch
from diffusers import SchedulerMixin
from einops import rearrange
from torch import Generator, Tensor
from torch.nn import functional

from cascade.models.families.shapes.caption_questions import CaptionQuestions
from cascade.models.families.shapes.drawing import shape_maps
from cascade.models.families.shapes.scene import Scene
from cascade.models.families.shapes.stages import SmallInterpolation, SmallKeyframes, SmallSuperResolution
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
from cascade.models.presets.show1 import KeyframesOptions
from cascade.models.presets.spec import StageSpec
from cascade.models.training.batch import Batch
from cascade.models.training.diffusion import noised, prediction_loss
from cascade.models.training.recipe import Phase, Recipe
from cascade.models.training.text_conditioning import CaptionEncoder

PRIOR, QUESTIONS = "prior", "questions"


class SmallKeyframesTraining(KeyframesTraining):
    """Noise to keyframes, from nothing.

    Phases beside Show-1's: `questions` trains the text encoder alone, by questions about captions; `prior` trains the
    caption prior on squared error, and the text encoder with it.
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
            self.questions = CaptionQuestions(captions.encoder.config.d_model)

    def select(self, phase: Phase) -> None:
        super().select(phase)
        self.questions.requires_grad_(phase.trainable == QUESTIONS)

    def group_of(self, parameter_name: str) -> str:
        return PRIOR if parameter_name.startswith("prior.") else super().group_of(parameter_name)

    def clips_per_step(self, phase: Phase) -> int:
        return 0 if phase.trainable == QUESTIONS else phase.batch_size

    def forward(self, batch: Batch, phase: Phase, generator: Generator) -> Tensor:
        """Compute the loss of the phase for clips (batch, frames, 3, height, width): a scalar."""
        if phase.trainable == QUESTIONS:
            loss: Tensor = self.questions(self.captions, phase.batch_size, generator)
            return loss
        text = self.text(batch, generator)
        if phase.trainable == PRIOR:
            return self._prior_loss(text, batch)
        clean = rearrange(batch.frames, "b f c h w -> b c f h w")
        prior = None if self.unet.prior is None else self.unet.prior_of(text, clean.shape[2:])
        if phase.trainable == "spatial":
            frame = random_frame(clean, generator)
            clean = select_frame(clean, frame)
            prior = None if prior is None else select_frame(prior, frame)
        sample, timesteps, target = noised(clean, self.recipe, self.scheduler, generator)
        return prediction_loss(self.unet(sample, timesteps, text, prior=prior), target)

    def _prior_loss(self, text: Tensor, batch: Batch) -> Tensor:
        """Compute the squared error of the caption prior of text (batch, tokens, features): a scalar."""
        assert self.unet.prior is not None
        prediction: Tensor = self.unet.prior(text)
        target = functional.adaptive_avg_pool3d(prior_target(batch), self.unet.prior.size)
        return functional.mse_loss(prediction.float()[:, : target.shape[1]], target)


def prior_target(batch: Batch) -> Tensor:
    """Return what the caption prior is the mean of: the clips and, where their scenes are known, maps of their shapes.

    The maps are doubled, as they then vary about as much as the colours do.

    Returns:
        (batch, 3 or PRIOR_CHANNELS, frames, height, width): colours in [-1, 1], then maps in [0, 2].
    """
    parts, (frames, _, height, width) = [batch.frames], batch.frames.shape[1:]
    scenes = [annotation for annotation in batch.annotations if isinstance(annotation, Scene)]
    if scenes:
        maps = torch.stack([shape_maps(scene, frames, height, width) for scene in scenes])
        parts.append(2 * maps.to(batch.frames))
    return rearrange(torch.cat(parts, dim=2), "b f c h w -> b c f h w")


class SmallInterpolationTraining(InterpolationTraining):
    """The frames between two keyframes; begins as the keyframes network, as far as the two are alike."""

    stage_class: ClassVar[type[PixelStage[Any]]] = SmallInterpolation
    unet: ShapesUNet

    def start_from(self, keyframes: Mapping[str, Tensor]) -> None:
        """Begin as the keyframes network, but for its caption prior and, where residual, its last convolution.

        Args:
            keyframes: its weights by name.
        """
        config = self.unet.config
        pixels = 3 * config.patch_size**2  # of the clip itself; the caption prior's channels lie behind them
        left = ("prior.", "unet.conv_out.") if config.residual else ("prior.",)
        super().start_from(
            {
                name: weight[:, :pixels] if name == "unet.conv_in.weight" else weight
                for name, weight in keyframes.items()
                if not name.startswith(left)
            }
        )


class SmallSuperResolutionTraining(SuperResolutionTraining):
    """A window from its low resolution, by the small network."""

    stage_class: ClassVar[type[SuperResolution]] = SmallSuperResolution


class SmallMotionTraining(MotionTraining, SmallKeyframesTraining):
    """The temporal attention of the network within, fine-tuned on one video."""


train_motion = partial(motion_training.train_motion, training=SmallMotionTraining)
"""Fine-tune on one video, as Show-1's `train_motion` does."""
