"""The whole cascade in one process: the stages in order, one loaded at a time."""

from __future__ import annotations

from collections.abc import Callable

from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.clip import Clip, PromptEmbeddings
from cascade.models.families.registry import load_stage
from cascade.models.presets.table import StageKind, StageSpec
from cascade.models.runtime.device import attention_kernel
from cascade.models.runtime.execution import Execution
from cascade.models.stage import StageInputs


def generate(
    specs: tuple[StageSpec, ...],
    prompt: str,
    seeds: tuple[int, ...],
    checkpoints: Checkpoints,
    execution: Callable[[StageKind], Execution],
    negative_prompt: str | None,
    on_step: Callable[[StageKind, int, int], None],
    on_clip: Callable[[StageKind, Clip], None],
) -> Clip:
    """Run the stages of a cascade.

    Args:
        specs: from `Preset.resolve`.
        seeds: one per video of the batch.
        execution: how the stage of a kind runs.
        negative_prompt: None takes each stage's own.
        on_step: called with (kind, k, n) after denoising step k of n.
        on_clip: called with each stage's clip as it lands.
    Returns:
        The last stage's clip.
    Raises:
        CheckpointError: a checkpoint is missing or misfits.
    """
    clip: Clip | None = None
    encoded: dict[tuple[str, str], PromptEmbeddings] = {}
    for spec in specs:
        how = execution(spec.kind)
        stage = load_stage(spec, checkpoints, how)
        negative = spec.negative_prompt if negative_prompt is None else negative_prompt
        key = (spec.text_encoder, negative)
        if key not in encoded:
            encoded[key] = stage.text.encode(prompt, negative)
        inputs = StageInputs(spec, prompt, negative, encoded[key], seeds, clip)
        with attention_kernel(how):
            clip = stage(inputs, lambda k, n, kind=spec.kind: on_step(kind, k, n))
        on_clip(spec.kind, clip)
    if clip is None:
        raise ValueError("a cascade has at least one stage")
    return clip
