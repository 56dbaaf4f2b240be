"""Parts of the workers floor, over the real servers."""

from __future__ import annotations

import pytest

from cascade.workers.jobs.dead_letters import DeadLetters
from cascade.workers.jobs.store import JobStore
from cascade.workers.queue.lease import Leases
from cascade.workers.queue.stage_queue import StageQueue
from cascade.workers.recovery import Recovery
from cascade.workers.servers import Servers
from cascade.workers.storage.artifacts import ArtifactStore


@pytest.fixture
def jobs(connected: Servers) -> JobStore:
    return JobStore(connected.redis, connected.settings)


@pytest.fixture
def stage_queue(connected: Servers) -> StageQueue:
    return StageQueue.of(connected)


@pytest.fixture
def leases(connected: Servers) -> Leases:
    return Leases(connected.redis, connected.settings.lease_s)


@pytest.fixture
def artifacts(connected: Servers) -> ArtifactStore:
    return ArtifactStore.of(connected)


@pytest.fixture
def dead_letters(connected: Servers) -> DeadLetters:
    return DeadLetters(connected.redis)


@pytest.fixture
def recovery(connected: Servers) -> Recovery:
    return Recovery.of(connected)
