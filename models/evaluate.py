"""Evaluate: run a suite on a preset, all in this process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.errors import EvaluationError
from cascade.models.evaluation.feature_networks import FeatureNetworks
from cascade.models.evaluation.part import WHOLE, Part
from cascade.models.evaluation.runner import Evaluation
from cascade.models.evaluation.suites import available_suites
from cascade.models.presets.table import get_preset
from cascade.models.runtime.device import resolve_device
from cascade.models.runtime.execution import Execution


def run_suite(
    preset: str,
    suite: str,
    output: Path,
    checkpoints: Path,
    execution: Execution,
    report: Callable[[int, int], None],
    data: Path | None = None,
    networks: Path | None = None,
    part: Part = WHOLE,
    stages: int | None = None,
) -> list[dict[str, Any]]:
    """Run a suite, or what is left of it; return the records of all samples.

    Args:
        output: folder of the run; an interrupted one there continues.
        checkpoints: folder of local checkpoints.
        report: called with the number of finished tasks and of all tasks.
        data: list of videos and captions, for suites that need one.
        networks: folder of published feature networks; None takes a family's small ones.
        part: of the samples, which this process makes; the records of all parts are returned.
        stages: number of stages to run, from the first; None runs as many as the suite says.
    Raises:
        EvaluationError: there is no such suite, it needs `data`, or `output` holds another run.
        InvalidParameter: there is no such preset.
        CheckpointError: a checkpoint is missing or does not fit.
    """
    suites = available_suites()
    if suite not in suites:
        raise EvaluationError(f'there is no suite "{suite}"; choose one of {", ".join(suites)}')
    evaluation = Evaluation.load(
        get_preset(preset),
        suites[suite] if stages is None else replace(suites[suite], stages=stages),
        output,
        Checkpoints(checkpoints),
        execution,
        FeatureNetworks.load(networks, resolve_device(execution)),
        data,
        part,
    )
    return evaluation.run(report)
