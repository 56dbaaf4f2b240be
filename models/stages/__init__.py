"""The stages of the cascade, one file each; a new kind of stage is one more line in this table."""

from __future__ import annotations

from models.checkpoints import Checkpoints
from models.execution import Execution
from models.presets import StageKind, StageSpec
from models.stage import Stage
from models.stages.expert_translation import ExpertTranslation
from models.stages.interpolation import Interpolation
from models.stages.keyframes import Keyframes
from models.stages.super_resolution import SuperResolution

STAGES = {
    StageKind.KEYFRAMES: Keyframes,
    StageKind.INTERPOLATION: Interpolation,
    StageKind.SUPER_RESOLUTION: SuperResolution,
    StageKind.EXPERT_TRANSLATION: ExpertTranslation,
}


def load_stage(spec: StageSpec, checkpoints: Checkpoints, execution: Execution) -> Stage:
    """Load the networks of one stage. Raises CheckpointError naming what is missing."""
    return STAGES[spec.kind].load(spec, checkpoints, execution)
