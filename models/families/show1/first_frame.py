"""The upscaled first frame that super-resolution starts from: DeepFloyd IF's image super-resolution model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import torch
from torch import Tensor

from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.diffusion.sampling import seeded_generators
from cascade.models.presets.show1 import FirstFrameSpec, SuperResolutionOptions
from cascade.models.runtime.device import resolve_device, resolve_dtype
from cascade.models.runtime.execution import Execution
from cascade.models.stage import StageInputs

if TYPE_CHECKING:
    from diffusers import IFSuperResolutionPipeline


class FirstFrame:
    """Upscales the first frame of the clip by an image model, prompted like the clip."""

    def __init__(self, spec: FirstFrameSpec, pipeline: IFSuperResolutionPipeline) -> None:
        self.spec, self.pipeline = spec, pipeline

    @classmethod
    def load(cls, spec: FirstFrameSpec, checkpoints: Checkpoints, execution: Execution) -> Self:
        # Imported where it is used: most workers have no image model, and the import takes seconds.
        from diffusers import IFSuperResolutionPipeline

        pipeline = IFSuperResolutionPipeline(
            tokenizer=None,
            text_encoder=None,
            unet=checkpoints.image_unet(spec.checkpoint, execution),
            scheduler=checkpoints.scheduler(spec.checkpoint),
            image_noising_scheduler=checkpoints.scheduler(spec.checkpoint, "image_noising_scheduler"),
            safety_checker=None,
            feature_extractor=None,
            watermarker=None,
            requires_safety_checker=False,
        )
        pipeline.to(resolve_device(execution), resolve_dtype(execution))
        pipeline.set_progress_bar_config(disable=True)
        return cls(spec, pipeline)

    def __call__(self, inputs: StageInputs[SuperResolutionOptions]) -> Tensor:
        """Upscale the first frame of each video: (batch, channels, height, width) of the spec's size, in [-1, 1]."""
        first_frames = inputs.previous_frames()[:, :1]
        frames = [
            self.pipeline(
                image=first_frames[video],
                height=inputs.spec.height,
                width=inputs.spec.width,
                prompt_embeds=self._embeddings(inputs.embeddings.prompt),
                negative_prompt_embeds=self._embeddings(inputs.embeddings.negative),
                num_inference_steps=self.spec.steps,
                guidance_scale=self.spec.guidance_scale,
                noise_level=self.spec.noise_level,
                generator=generator,
                output_type="pt",
            ).images
            for video, generator in enumerate(seeded_generators(inputs.seeds))
        ]
        return torch.cat(frames).float()

    def _embeddings(self, embeddings: Tensor) -> Tensor:
        """Bring embeddings (1, tokens, features) to the pipeline's device and precision."""
        return embeddings.to(self.pipeline.device, self.pipeline.dtype)
