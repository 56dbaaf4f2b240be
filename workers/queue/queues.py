"""The queues there are: one per stage of every preset."""

from __future__ import annotations

from collections.abc import Sequence

from cascade.models.presets.spec import AnyStageSpec, Preset, queue_name
from cascade.models.presets.table import PRESETS
from cascade.workers.errors import UnknownQueue


def all_queues() -> tuple[str, ...]:
    """List the queues of all presets, in order."""
    return tuple(queue for preset in PRESETS.values() for queue in preset.queues)


def stage_of(queue: str) -> tuple[Preset, AnyStageSpec]:
    """Find the preset and stage of a queue. Raises UnknownQueue naming the queues there are."""
    for preset in PRESETS.values():
        for spec in preset.stages:
            if queue_name(preset.name, spec.name) == queue:
                return preset, spec
    raise UnknownQueue(f'there is no queue "{queue}"; choose from {", ".join(all_queues())}')


def check_queues(queues: Sequence[str]) -> None:
    """Raise UnknownQueue, naming the queues there are, unless there is at least one queue and a preset has each."""
    if not queues:
        raise UnknownQueue(f"a worker needs at least one queue; choose from {', '.join(all_queues())}")
    for queue in queues:
        stage_of(queue)
