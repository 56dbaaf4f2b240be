"""Parts of the workers floor, over the real servers."""

from __future__ import annotations

import pytest

from cascade.workers.jobs.dead_letters import DeadLetters
from cascade.workers.jobs.store import JobStore
from cascade.workers.queue.lease import Leases
from cascade.workers.queue.waiting import WaitingStages
from cascade.workers.reconciler import Reconciler
from cascade.workers.servers import Servers
from cascade.workers.storage.artifacts import ArtifactStore


@pytest.fixture
def jobs(connected: Servers) -> JobStore:
    return JobStore(connected.redis, connected.settings)


@pytest.fixture
def waiting(connected: Servers) -> WaitingStages:
    return WaitingStages(connected.redis, connected.settings.lease_s)


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
def reconciler(connected: Servers) -> Reconciler:
    return Reconciler.of(connected)
