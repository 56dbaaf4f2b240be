"""Evaluation in this process: what `cascade evaluate` does. Imports torch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from models.checkpoints import Checkpoints
from models.device import resolve_device
from models.evaluation.networks import FeatureNetworks
from models.evaluation.runner import Evaluation
from models.evaluation.suites import SUITES
from models.execution import Execution
from models.presets import get_preset
from workers.settings import Settings


def run_suite(
    preset: str,
    suite: str,
    output: Path,
    settings: Settings,
    report: Callable[[int, int], None],
    data: Path | None = None,
    networks: Path | None = None,
) -> list[dict[str, Any]]:
    """The records of a suite's samples, made or found in `output`.

    Raises:
        ValueError: there is no such suite, it needs `data`, `networks` holds none, or `output` holds another run.
        InvalidParameter, CheckpointError: the preset or its checkpoint is not there.
    """
    if suite not in SUITES:
        raise ValueError(f'there is no suite "{suite}"; choose one of {", ".join(SUITES)}')
    cascade = get_preset(preset)
    execution = Execution(device=settings.device, dtype=settings.dtype)
    checkpoints = Checkpoints(settings.checkpoints_dir)
    given = FeatureNetworks.load(networks, resolve_device(execution))
    run = Evaluation.load(cascade, SUITES[suite], output, checkpoints, execution, given, data)
    return run.run(report)
