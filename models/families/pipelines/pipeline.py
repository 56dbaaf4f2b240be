"""Diffusers' own pipelines as stages: today's text-to-video and video-to-video models in the same service.

Any text-to-video pipeline can be the first stage and any video-to-video pipeline a later one; a preset names them.
"""

from __future__ import annotations

import inspect
from typing import Any, Self

import torch
from diffusers import DiffusionPipeline
from einops import rearrange
from torch import Tensor
from torch.nn import functional

from cascade.models.checkpoints.files import Requirement
from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.clip import Clip, PromptEmbeddings
from cascade.models.diffusion.progress import PlannedSteps
from cascade.models.diffusion.sampling import seeded_generators
from cascade.models.errors import CheckpointError, ExecutionError
from cascade.models.families.pipelines.frames import check_frames, video_of
from cascade.models.families.pipelines.progress import watched
from cascade.models.presets.pipelines import VideoToVideoOptions
from cascade.models.presets.spec import AnyStageSpec, StageOptions
from cascade.models.runtime.attention import check_attention
from cascade.models.runtime.device import resolve_device
from cascade.models.runtime.execution import Execution
from cascade.models.stage import OnStep, Stage, StageInputs

KERNELS = ("auto", "efficient", "math")
"""Attention kernels that all networks of pipelines run by; the others take neither masks nor the VAE's wide head."""
FRAME_PARAMETERS = ("num_frames", "video_length")
"""The names by which pipelines take the number of frames; each has one of them."""


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
        if execution.attention not in KERNELS:
            raise ExecutionError(
                f'attention "{execution.attention}" cannot run all networks of a pipeline; stage {spec.name} takes '
                f"{', '.join(KERNELS)} (CASCADE_ATTENTION)"
            )
        pipeline = checkpoints.pipeline(spec.checkpoint, execution)
        for name, part in pipeline.components.items():
            if isinstance(part, torch.nn.Module):
                check_attention(part, execution, f"{spec.checkpoint}/{name}")
        device = resolve_device(execution)
        if (
            execution.offload == "none" or device.type == "cpu"
        ):  # from the CPU there is nowhere to take anything
            pipeline.to(device)
        elif execution.offload == "model":
            pipeline.enable_model_cpu_offload(device=device)
        else:
            pipeline.enable_sequential_cpu_offload(device=device)
        pipeline.set_progress_bar_config(disable=True)
        stage = cls(pipeline)
        stage.check(spec)
        return stage

    @classmethod
    def requirements(cls, spec: AnyStageSpec) -> tuple[Requirement, ...]:
        parts = ("scheduler", "vae", "text_encoder", "tokenizer")
        return (Requirement(spec.checkpoint, parts, pipeline=True),)

    def check(self, spec: AnyStageSpec) -> None:
        """Refuse a spec that the pipeline cannot follow.

        Raises:
            CheckpointError: it is not a pipeline of the kind that the spec's options say.
            PresetError: it cannot make as many frames.
        """
        refines = isinstance(spec.options, VideoToVideoOptions)
        needed = ("video",) if refines else FRAME_PARAMETERS
        if "prompt" not in self._parameters or not any(name in self._parameters for name in needed):
            kind = "video-to-video" if refines else "text-to-video"
            raise CheckpointError(
                f"stage {spec.name}: {type(self.pipeline).__name__} of {spec.checkpoint} is no {kind} pipeline; "
                f"such a one takes prompt and {' or '.join(needed)}"
            )
        check_frames(self.pipeline, spec)

    @torch.inference_mode()
    def __call__(self, inputs: StageInputs[StageOptions], on_step: OnStep) -> Clip:
        spec, videos = inputs.spec, []
        self.check(spec)
        planned = spec.planned_steps(len(inputs.seeds))
        steps, per_video = PlannedSteps(on_step, planned), planned // len(inputs.seeds)
        for index, generator in enumerate(seeded_generators(inputs.seeds)):
            arguments = {
                "prompt": inputs.prompt,
                "negative_prompt": inputs.negative_prompt,
                "height": spec.height,
                "width": spec.width,
                "num_inference_steps": spec.steps,
                "guidance_scale": spec.guidance_scale,
                "generator": generator,
                "output_type": "pt",
                **({} if spec.max_prompt_tokens is None else {"max_sequence_length": spec.max_prompt_tokens}),
                **self._source(inputs, index),
            }
            accepted = {name: value for name, value in arguments.items() if name in self._parameters}
            with watched(self.pipeline, self._parameters, per_video, steps.part(per_video)) as progress:
                result = self.pipeline(**accepted, **progress)
            steps.catch_up()  # a pipeline may run fewer steps than it was asked for
            videos.append(video_of(result, spec))
        return Clip(_sized(torch.stack(videos), spec), spec.fps)

    def _source(self, inputs: StageInputs[StageOptions], index: int) -> dict[str, Any]:
        """Arguments from the previous stage, its clip as frames in [0, 1]; without one, the number of frames to make."""
        spec = inputs.spec
        if not isinstance(spec.options, VideoToVideoOptions):
            return dict.fromkeys(FRAME_PARAMETERS, spec.frames)
        frames = _sized(inputs.previous_frames(spec.frames), spec)
        return {
            "video": list(((frames[index] + 1) / 2).clamp(0, 1)),
            "num_frames": spec.frames,
            "strength": spec.options.strength,
        }


def _sized(frames: Tensor, spec: AnyStageSpec) -> Tensor:
    """Resize frames to the spec's height and width, bicubically: (batch, frames, channels, height, width), [-1, 1]."""
    if frames.shape[-2:] == (spec.height, spec.width):
        return frames
    folded = rearrange(frames, "b f c h w -> (b f) c h w")
    folded = functional.interpolate(
        folded, size=(spec.height, spec.width), mode="bicubic", antialias=True, align_corners=False
    )
    return rearrange(folded, "(b f) c h w -> b f c h w", b=frames.shape[0])
