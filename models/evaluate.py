"""Evaluation in this process: what `cascade evaluate` does. Imports torch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.evaluation.feature_networks import FeatureNetworks
from cascade.models.evaluation.runner import Evaluation
from cascade.models.evaluation.suites import SUITES
from cascade.models.presets.table import get_preset
from cascade.models.runtime.device import resolve_device
from cascade.models.runtime.execution import Execution
from cascade.workers.settings import Settings


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
