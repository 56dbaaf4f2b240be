"""Diffusers' own pipelines as stages: today's text-to-video and video-to-video models in the same service.

Any text-to-video pipeline can be the first stage and any video-to-video pipeline a later one; a preset names them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Self

import torch
from diffusers import DiffusionPipeline
from einops import rearrange
from torch import Tensor
from torch.nn import functional

from cascade.models.checkpoints.files import Requirement
from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.clip import Clip, PromptEmbeddings
from cascade.models.diffusion.sampling import seeded_generators
from cascade.models.errors import CheckpointError
from cascade.models.presets.pipelines import VideoToVideoOptions
from cascade.models.presets.spec import AnyStageSpec, StageOptions
from cascade.models.runtime.device import resolve_device, resolve_dtype
from cascade.models.runtime.execution import Execution
from cascade.models.stage import OnStep, Stage, StageInputs


class OwnText:
    """A pipeline encodes prompts itself; the stages share nothing with it."""

    def encode(self, prompt: str, negative_prompt: str) -> PromptEmbeddings:  # noqa: ARG002
        return PromptEmbeddings(torch.zeros(1, 0, 1), torch.zeros(1, 0, 1))


class PipelineStage(Stage[StageOptions]):
    """Runs a diffusers pipeline, video by video, so that a seed fixes its video."""

    def __init__(self, pipeline: DiffusionPipeline) -> None:
        self.pipeline = pipeline
        self.text = OwnText()
        self._parameters = inspect.signature(pipeline.__call__).parameters

    @classmethod
    def load(cls, spec: AnyStageSpec, checkpoints: Checkpoints, execution: Execution) -> Self:
        path, dtype = checkpoints.path(spec.checkpoint), resolve_dtype(execution)
        try:
            pipeline = DiffusionPipeline.from_pretrained(path, dtype=dtype, use_safetensors=True)
        except (OSError, ValueError, AttributeError) as error:
            raise CheckpointError(f"{path} is no diffusers pipeline: {error}") from error
        if execution.offload == "none":
            pipeline.to(resolve_device(execution))
        elif execution.offload == "model":
            pipeline.enable_model_cpu_offload(device=resolve_device(execution))
        else:
            pipeline.enable_sequential_cpu_offload(device=resolve_device(execution))
        pipeline.set_progress_bar_config(disable=True)
        return cls(pipeline)

    @classmethod
    def requirements(cls, spec: AnyStageSpec) -> tuple[Requirement, ...]:
        return (Requirement(spec.checkpoint, ("scheduler", "vae", "text_encoder", "tokenizer")),)

    @torch.inference_mode()
    def __call__(self, inputs: StageInputs[StageOptions], on_step: OnStep) -> Clip:
        spec, videos = inputs.spec, []
        for index, generator in enumerate(seeded_generators(inputs.seeds)):
            arguments = {
                "prompt": inputs.prompt,
                "negative_prompt": inputs.negative_prompt,
                "height": spec.height,
                "width": spec.width,
                "num_frames": spec.frames,
                "num_inference_steps": spec.steps,
                "guidance_scale": spec.guidance_scale,
                "generator": generator,
                "output_type": "pt",
                "callback_on_step_end": _progress(on_step, index, len(inputs.seeds)),
                **self._source(inputs, index),
            }
            accepted = {name: value for name, value in arguments.items() if name in self._parameters}
            videos.append(torch.as_tensor(self.pipeline(**accepted).frames[0]).float().cpu() * 2 - 1)
        return Clip(_sized(torch.stack(videos), spec), spec.fps)

    def _source(self, inputs: StageInputs[StageOptions], index: int) -> dict[str, Any]:
        """Arguments from the previous stage: none, or its clip as frames in [0, 1]."""
        if not isinstance(inputs.spec.options, VideoToVideoOptions):
            return {}
        frames = _sized(inputs.previous_frames(), inputs.spec)
        return {
            "video": list(((frames[index] + 1) / 2).clamp(0, 1)),
            "strength": inputs.spec.options.strength,
        }


def _progress(on_step: OnStep, video: int, videos: int) -> Callable[..., dict[str, Any]]:
    def on_step_end(pipeline: Any, step: int, _timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        steps = pipeline.num_timesteps
        on_step(video * steps + step + 1, videos * steps)
        return tensors

    return on_step_end


def _sized(frames: Tensor, spec: AnyStageSpec) -> Tensor:
    """Resize frames to the spec's height and width, bicubically: (batch, frames, channels, height, width), [-1, 1]."""
    if frames.shape[-2:] == (spec.height, spec.width):
        return frames
    folded = rearrange(frames, "b f c h w -> (b f) c h w")
    folded = functional.interpolate(
        folded, size=(spec.height, spec.width), mode="bicubic", antialias=True, align_corners=False
    )
    return rearrange(folded, "(b f) c h w -> b f c h w", b=frames.shape[0])
