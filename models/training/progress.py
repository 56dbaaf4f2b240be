"""Progress of a run, and the rhythm of its saved states and samples."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """After a step: how far the run is, the loss, and clips per second."""

    step: int
    steps: int
    loss: float
    clips_per_s: float


@dataclass(frozen=True)
class Rhythm:
    """Steps between two saved states, and between two sample sheets."""

    save_every: int = 500
    sample_every: int = 500
