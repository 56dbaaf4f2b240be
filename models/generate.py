"""A whole cascade in one process: the stages in order, one loaded at a time."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.clip import Clip, Output, PromptEmbeddings
from cascade.models.families.registry import load_stage
from cascade.models.media.renditions import as_clip
from cascade.models.presets.spec import MAX_SEED, AnyStageSpec, Preset
from cascade.models.presets.table import get_preset
from cascade.models.runtime.device import attention_kernel
from cascade.models.runtime.execution import Execution
from cascade.models.stage import StageInputs, run_stage

OnClip = Callable[[str, Clip], None]


def ignore_step(_stage: str, _step: int, _steps: int) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True)
class Cascade:
    """A preset, ready to generate. Made by `load`.

    Attributes:
        preset: whose stages run.
        checkpoints: where their networks are found; a stage is loaded when it is its turn.
        execution: device, precision and memory settings of all stages.
    """

    preset: Preset
    checkpoints: Checkpoints
    execution: Execution = field(default_factory=Execution)

    def generate(
        self,
        prompt: str,
        *,
        seed: int | None = None,
        negative_prompt: str | None = None,
        size: str | None = None,
        steps: Mapping[str, int] | None = None,
        guidance_scale: Mapping[str, float] | None = None,
        on_step: Callable[[str, int, int], None] = ignore_step,
        on_clip: OnClip | None = None,
    ) -> Clip:
        """Generate one video.

        Args:
            seed: 0 to 2^32 - 1, fixes every frame; None draws one.
            negative_prompt: what the video should not show; None takes each stage's own.
            size: the last stage's `WIDTHxHEIGHT`, one of the preset's.
            steps, guidance_scale: by stage.
            on_step: called with (stage, k, n) after denoising step k of n; raising inside it stops the cascade.
            on_clip: called with each stage's name and clip; latents are shown as `Stage.preview` does.
        Returns:
            A clip of one video, pixel values about [-1, 1].
        Raises:
            InvalidParameter: the preset does not offer what is asked for.
            CheckpointError: a checkpoint is missing or does not fit.
        """
        specs = self.preset.resolve(size, steps, guidance_scale)
        seed = secrets.randbelow(MAX_SEED + 1) if seed is None else seed
        return run_stages(
            specs,
            prompt,
            (seed,),
            self.checkpoints,
            lambda _: self.execution,
            negative_prompt,
            on_step,
            on_clip,
        )


def load(
    preset: str, *, checkpoints: str | Path = "checkpoints", execution: Execution | None = None
) -> Cascade:
    """Prepare a preset for generating in this process.

    Args:
        preset: its name, such as `show-1`.
        checkpoints: folder of local checkpoints; a name neither there nor shipped is a hub name.
        execution: device, precision and memory settings; None chooses by the machine.
    Raises:
        InvalidParameter: there is no such preset.
    """
    return Cascade(get_preset(preset), Checkpoints(Path(checkpoints)), execution or Execution())


def generate(preset: str, prompt: str, *, seed: int | None = None) -> Clip:
    """Generate one video by a preset with its own settings; `load` has more to choose.

    Raises:
        InvalidParameter: there is no such preset.
        CheckpointError: a checkpoint is missing or does not fit.
    """
    return load(preset).generate(prompt, seed=seed)


def run_stages(
    specs: tuple[AnyStageSpec, ...],
    prompt: str,
    seeds: tuple[int, ...],
    checkpoints: Checkpoints,
    execution: Callable[[AnyStageSpec], Execution],
    negative_prompt: str | None = None,
    on_step: Callable[[str, int, int], None] = ignore_step,
    on_clip: OnClip | None = None,
) -> Clip:
    """Run the stages of a cascade.

    Args:
        specs: from `Preset.resolve`, at least one.
        seeds: one per video of the batch.
        execution: how a stage runs.
        negative_prompt: None takes each stage's own.
        on_step: called with (stage, k, n) after denoising step k of n.
        on_clip: called with each stage's name and clip; latents are shown as `Stage.preview` does.
    Returns:
        The last stage's clip, or the preview of its latents: (len(seeds), frames, 3, height, width), about [-1, 1].
    Raises:
        CheckpointError: a checkpoint is missing or does not fit.
        OutputNotFinite: a stage made NaN or infinite numbers; names it.
    """
    output: Output | None = None
    embeddings: dict[tuple[str, str], PromptEmbeddings] = {}
    for spec in specs:
        settings = execution(spec)
        stage = load_stage(spec, checkpoints, settings)
        negative = spec.negative_prompt if negative_prompt is None else negative_prompt
        key = (spec.text_encoder, negative)
        if key not in embeddings:
            embeddings[key] = stage.text.encode(prompt, negative)
        inputs = StageInputs(spec, prompt, negative, embeddings[key], seeds, output)
        with attention_kernel(settings):
            output = run_stage(stage, inputs, lambda k, n, name=spec.name: on_step(name, k, n))  # type: ignore[misc]
        if on_clip is not None:
            on_clip(spec.name, as_clip(output, stage.preview))
    if output is None:
        raise ValueError("a cascade has at least one stage")
    return as_clip(output, stage.preview)
