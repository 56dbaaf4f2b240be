"""The stages of the cascade, one file each; a new kind of stage is one more line in this table."""

from __future__ import annotations

from typing import Any

from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.families.pipelines.pipeline import PipelineStage
from cascade.models.families.show1.expert_translation import ExpertTranslation
from cascade.models.families.show1.interpolation import Interpolation
from cascade.models.families.show1.keyframes import Keyframes
from cascade.models.families.show1.super_resolution import SuperResolution
from cascade.models.presets.table import (
    ExpertTranslationOptions,
    InterpolationOptions,
    KeyframesOptions,
    StageSpec,
    SuperResolutionOptions,
    TextToVideoOptions,
    VideoToVideoOptions,
)
from cascade.models.runtime.execution import Execution
from cascade.models.stage import Stage

STAGES: dict[type, Any] = {
    KeyframesOptions: Keyframes,
    InterpolationOptions: Interpolation,
    SuperResolutionOptions: SuperResolution,
    ExpertTranslationOptions: ExpertTranslation,
    TextToVideoOptions: PipelineStage,
    VideoToVideoOptions: PipelineStage,
}


def load_stage(spec: StageSpec, checkpoints: Checkpoints, execution: Execution) -> Stage:
    """Load the networks of one stage. Raises CheckpointError naming what is missing."""
    stage: Stage = STAGES[type(spec.options)].load(spec, checkpoints, execution)
    return stage
