"""A family of models as the general code sees it. Torch is imported only when one of its parts is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pkgutil import resolve_name
from typing import Any

from cascade.models.presets.spec import Preset, StageOptions


@dataclass(frozen=True)
class StageEntry:
    """All that belongs to one kind of stage. Every field names an object as `.module:attribute`, relative to the room.

    Attributes:
        stage: the `models.stage.Stage`.
        training: the `models.training.stage_training.StageTraining` of its network; None where it is not trained here.
        parts: trainings of further parts of its checkpoint, such as an autoencoder, by name.
        restoration: the `models.evaluation.restoration.Restoration` that measures how well it restores true clips.
    """

    stage: str
    training: str | None = None
    parts: Mapping[str, str] = field(default_factory=dict)
    restoration: str | None = None


@dataclass(frozen=True)
class Family:
    """A family: its presets, and what they need beyond the general code.

    Attributes:
        room: the package that holds all of it.
        stages: by the type of a stage's options.
        recipes: names a mapping from preset to recipes by trained part, in the order in which they are trained.
        clips: names a function (frames, height, width, seed) -> `Clips` to train on where no data are given.
        initial_checkpoints: names a function (folder) that creates untrained checkpoints of its presets.
        scorers: names `Scorer`s by the name that presets have for them.
        suites: names a mapping of evaluation suites.
        scenes: names the `models.evaluation.scenes.Scenes` that prompts are drawn from and clips are checked against.
        feature_networks: names the small networks that measure clips where no published ones are given.
        conversion: names a function (source, target, in_channels) -> `models.checkpoints.conversion.Conversion`.
        prompt_guide: names the `models.prompt_guide.PromptGuide` of its presets; free of torch.
        unpack_motion: names a function (bytes) -> tensors by name that raises MotionMisfit for other bytes than an adapter's.
        train_motion: names a function (spec, checkpoints, video, folder, report, steps) -> bytes of an adapter.
    """

    room: str
    presets: tuple[Preset, ...]
    stages: Mapping[type[StageOptions], StageEntry] = field(default_factory=dict)
    recipes: str | None = None
    clips: str | None = None
    initial_checkpoints: str | None = None
    scorers: Mapping[str, str] = field(default_factory=dict)
    suites: str | None = None
    scenes: str | None = None
    feature_networks: str | None = None
    conversion: str | None = None
    prompt_guide: str | None = None
    unpack_motion: str | None = None
    train_motion: str | None = None

    def part(self, reference: str) -> Any:
        """Import what a field names: `.module:attribute` relative to the room, or with the whole name of a module."""
        return resolve_name(self.room + reference if reference.startswith(".") else reference)
