"""How far a run is, and how often it leaves something behind."""

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
    """How often, in steps, the run's state is saved, and samples are drawn."""

    save_every: int = 500
    sample_every: int = 500
