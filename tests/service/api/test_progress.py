"""Progress as clients see it: it never falls, and 100 means completed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import httpx
import pytest

from cascade.models.presets.table import get_preset
from cascade.workers.job_queue import JobQueue
from cascade.workers.jobs import transitions

PROMPT = "a red circle"
SHAPES = get_preset("shapes")
Finish = Callable[..., None]


@pytest.mark.parametrize("fields", [{}, {"stop_after": "interpolation"}, {"best_of": 3}])
def test_progress_never_falls_and_is_below_100_until_all_is_stored(
    fields: dict[str, Any], client: httpx.Client, job_queue: JobQueue, finish: Finish
) -> None:
    video = client.post("/v1/videos", json={"prompt": PROMPT, **fields}).json()
    video_id, planned = video["id"], [stage["steps"] for stage in video["stages"]]
    seen = [0]
    last = fields.get("stop_after", "expert-translation")

    def look() -> dict[str, Any]:
        shown: dict[str, Any] = client.get(f"/v1/videos/{video_id}").json()
        assert [stage["steps"] for stage in shown["stages"]] == planned
        assert shown["progress"] >= seen[-1]
        seen.append(shown["progress"])
        return shown

    for index, spec in enumerate(SHAPES.stages[: SHAPES.stage_names.index(last) + 1]):
        start = partial(transitions.start_stage, stage=spec.name, worker="w", now=1.0)
        job_queue.jobs.update(video_id, start)
        look()
        # A stage that counts otherwise than planned, and one that reports a step twice.
        for reported in (planned[index], 3 * planned[index], 7):
            for step in (1, reported // 2, reported):
                advance = partial(transitions.advance_stage, stage=spec.name, step=step, steps=reported)
                job_queue.jobs.update(video_id, advance)
                shown = look()
                assert shown["progress"] < 100 and shown["stages"][index]["progress"] < 100
                assert shown["status"] == "in_progress"
        finish(video_id, spec.name)  # starts it anew, which is the one thing that takes progress back
        seen.append(0)
        assert look()["stages"][index]["progress"] == 100
    assert client.get(f"/v1/videos/{video_id}").json()["progress"] == 100


def test_steps_are_known_before_a_stage_starts(client: httpx.Client) -> None:
    steps = {"keyframes": 3, "interpolation": 2, "super-resolution": 2, "expert-translation": 10}
    video = client.post("/v1/videos", json={"prompt": PROMPT, "steps": steps}).json()
    plan = SHAPES.resolve(steps=steps)
    assert [stage["steps"] for stage in video["stages"]] == [spec.planned_steps() for spec in plan]
    assert video["stages"][2]["steps"] > 2  # in windows
    assert video["stages"][3]["steps"] < 10  # a share of the schedule
