"""A Redis that has lost its data: nobody announces what is gone."""

from __future__ import annotations

import asyncio

from cascade.service.api.event_hub import EventHub
from cascade.workers.job_queue import JobQueue
from cascade.workers.jobs.record import JobRequest
from cascade.workers.servers import Servers


def test_the_event_stream_of_a_job_that_is_gone_ends(connected: Servers, job_queue: JobQueue) -> None:
    job_id = job_queue.submit(JobRequest("shapes", "a red circle", 7)).id

    async def follow() -> list[str | None]:
        hub = EventHub(connected.settings, look_s=0.2)
        reader = asyncio.create_task(hub.run())
        types = []
        async with asyncio.timeout(20):
            async for event in hub.listen(job_id, "0-0"):
                types.append(event.event)
                await asyncio.to_thread(connected.redis.flushall)
        reader.cancel()
        await hub.redis.aclose()
        return types

    assert asyncio.run(follow()) == ["video.queued"]
