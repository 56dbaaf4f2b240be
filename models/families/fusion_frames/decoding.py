"""Decoding: latents to pixels by a temporal decoder, or by the image one (FusionFrames, section 4.3)."""

from __future__ import annotations

import logging
from typing import Self

import torch
from torch import Tensor

from cascade.models.checkpoints.files import Requirement
from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.clip import Clip
from cascade.models.families.fusion_frames.first_frame import autoencoder_execution
from cascade.models.families.fusion_frames.networks import Autoencoder
from cascade.models.families.fusion_frames.text_stage import masked_t5
from cascade.models.presets.kandinsky_video import DecodingOptions
from cascade.models.presets.spec import StageSpec
from cascade.models.runtime.device import resident, resolve_device
from cascade.models.runtime.execution import Execution
from cascade.models.stage import OnStep, Stage, StageInputs
from cascade.models.text.encoders import PromptEncoder

logger = logging.getLogger(__name__)


class Decoding(Stage[DecodingOptions]):
    """Decodes each video in chunks, each of which the temporal decoder takes as a clip of its own."""

    def __init__(self, autoencoder: Autoencoder, text: PromptEncoder, execution: Execution) -> None:
        self.autoencoder, self.text, self.execution = autoencoder, text, execution
        self.device = resolve_device(execution)
        if execution.vae_tiling:
            logger.warning("MoVQ decodes whole frames: CASCADE_VAE_TILING is not used")

    @classmethod
    def load(cls, spec: StageSpec[DecodingOptions], checkpoints: Checkpoints, execution: Execution) -> Self:
        part, precise = spec.options.autoencoder, autoencoder_execution(execution)
        return cls(
            checkpoints.network(spec.checkpoint, Autoencoder, precise, part),
            masked_t5(spec, checkpoints, execution),
            execution,
        )

    @classmethod
    def requirements(cls, spec: StageSpec[DecodingOptions]) -> tuple[Requirement, ...]:
        part = spec.options.autoencoder
        return (Requirement(spec.checkpoint, (part,), {part: Autoencoder}),)

    @torch.inference_mode()
    def __call__(self, inputs: StageInputs[DecodingOptions], on_step: OnStep) -> Clip:
        spec, videos = inputs.spec, []
        planned = spec.planned_steps(len(inputs.seeds))
        done = 0
        with resident(self.autoencoder, self.execution):
            for video in inputs.previous_latents(spec.frames):
                chunks = []
                for chunk in split_into_chunks(video, spec.options.frames_per_chunk):
                    chunks.append(self._decode(chunk))
                    done += 1
                    on_step(done, planned)
                videos.append(torch.cat(chunks))
        return Clip(torch.stack(videos), spec.fps)

    def _decode(self, chunk: Tensor) -> Tensor:
        """Decode latents (frames, channels, height, width) to (frames, 3, 8·height, 8·width), about [-1, 1], on the CPU."""
        alone = self.execution.vae_slicing and not self.autoencoder.config.is_temporal
        chunk = chunk.to(self.device, next(self.autoencoder.parameters()).dtype)
        frames = [self.autoencoder.decode(part) for part in torch.split(chunk, 1 if alone else len(chunk))]
        return torch.cat(frames).float().cpu()


def split_into_chunks(latents: Tensor, frames_per_chunk: int) -> tuple[Tensor, ...]:
    """Split a video's latents (frames, channels, height, width) as the published pipeline does.

    There are as many chunks as whole ones fit, and all but the last are alike: 45 frames by 4 are 9 chunks of 5.
    """
    return torch.chunk(latents, max(len(latents) // frames_per_chunk, 1))
