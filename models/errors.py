"""Faults of the models floor. Workers treat all of them as permanent: another try would not help.

ModelError
├── CheckpointError
├── InvalidParameter (also a ValueError)
├── PresetError (also a ValueError)
├── StageInputError
├── OutputNotFinite
├── ExecutionError
├── MotionMisfit
├── TrainingError
├── EvaluationError
├── OutputError
├── DeviceError
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


class PresetError(ModelError, ValueError):
    """The stages of a preset do not fit together, or one cannot make what the preset says of it."""


class StageInputError(ModelError):
    """A stage was handed something else than it needs from the stage before it."""


class ExecutionError(ModelError):
    """The settings of device, precision and memory cannot run a network; the message names the setting."""


class OutputNotFinite(ModelError):
    """A stage, or its text encoder, made numbers that are NaN or infinite; the message names it."""


class MotionMisfit(ModelError):
    """A motion adapter is damaged, or made for another network."""


class TrainingError(ModelError):
    """A training cannot begin or go on as it was asked for."""


class VideoFileError(ModelError):
    """A video file cannot be read or is too short, or a list of video files is wrong."""


class OutputError(ModelError):
    """A file or folder cannot be written, or its disk has no room for it."""


class DeviceError(ModelError):
    """A device is not on this machine, or there is none of that name."""


class EvaluationError(ModelError):
    """An evaluation cannot be run as asked: its suite, its data or its folder do not fit."""
