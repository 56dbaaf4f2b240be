"""Faults of the models floor. Workers treat all of them as permanent: another try would not help.

ModelError
├── CheckpointError
├── InvalidParameter (also a ValueError)
├── StageInputError
├── MotionMisfit
├── TrainingError
├── EvaluationError
└── VideoFileError
"""

from __future__ import annotations


class ModelError(Exception):
    """Anything that the cascade itself cannot do."""


class CheckpointError(ModelError):
    """A checkpoint is missing or does not fit; the message names what is missing and where it was looked for."""


class InvalidParameter(ModelError, ValueError):
    """A request asks for something that its preset does not offer.

    Attributes:
        parameter: name of the offending request field, such as `size` or `steps.keyframes`.
    """

    def __init__(self, parameter: str, message: str) -> None:
        super().__init__(message)
        self.parameter = parameter


class StageInputError(ModelError):
    """A stage was handed something else than it needs from the stage before it."""


class MotionMisfit(ModelError):
    """A motion adapter is damaged, or made for another network."""


class TrainingError(ModelError):
    """A training cannot begin or go on as it was asked for."""


class VideoFileError(ModelError):
    """A video file cannot be read or is too short, or a list of video files is wrong."""


class EvaluationError(ModelError):
    """An evaluation cannot be run as asked: its suite, its data or its folder do not fit."""
