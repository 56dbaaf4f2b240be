"""Which queues there are."""

from __future__ import annotations

import pytest

from cascade.models.presets.table import PRESETS
from cascade.workers.errors import UnknownQueue
from cascade.workers.queue.queues import all_queues, stage_of


def test_every_stage_of_every_preset_has_a_queue_of_its_own() -> None:
    queues = all_queues()
    assert len(set(queues)) == len(queues) == sum(len(preset.stages) for preset in PRESETS.values())
    for queue in queues:
        preset, spec = stage_of(queue)
        assert queue == f"{preset.name}.{spec.name}"


@pytest.mark.parametrize("queue", ["", "keyframes", "shapes", "shapes.decoding", "dreams.keyframes"])
def test_an_unknown_queue_is_refused_in_one_line_with_those_there_are(queue: str) -> None:
    with pytest.raises(UnknownQueue) as caught:
        stage_of(queue)
    message = str(caught.value)
    assert f'"{queue}"' in message
    assert "shapes.keyframes, shapes.interpolation" in message
    assert "\n" not in message
