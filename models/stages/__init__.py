"""The stages of the cascade, one file each; a new kind of stage is one more line in this table."""

from __future__ import annotations

from typing import Any

from models.checkpoints import Checkpoints
from models.execution import Execution
from models.presets import (
    ExpertTranslationOptions,
    InterpolationOptions,
    KeyframesOptions,
    StageSpec,
    SuperResolutionOptions,
    TextToVideoOptions,
    VideoToVideoOptions,
)
from models.stage import Stage
from models.stages.expert_translation import ExpertTranslation
from models.stages.interpolation import Interpolation
from models.stages.keyframes import Keyframes
from models.stages.pipeline import PipelineStage
from models.stages.super_resolution import SuperResolution

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
