"""Leases: one holder at a time, and they run out."""

from __future__ import annotations

import time

import pytest

from cascade.workers.job_queue import JobQueue
from cascade.workers.keys import LEASE_HOLDERS, LEASES
from cascade.workers.queue.lease import Lease, Leases
from cascade.workers.queue.waiting import WaitingStages
from cascade.workers.servers import Servers
from tests.workers.examples import QUEUE, REQUEST


@pytest.fixture
def lease(connected: Servers, job_queue: JobQueue) -> Lease:
    """A lease of half a second."""
    job_queue.submit(REQUEST)
    lease = WaitingStages(connected.redis, 0.5).take((QUEUE,), "a")
    assert lease is not None
    return lease


def test_a_lease_lasts_while_it_is_renewed_and_then_runs_out(connected: Servers, lease: Lease) -> None:
    leases = Leases(connected.redis, lease_s=0.5)
    with leases.renewing(lease):
        time.sleep(1.0)
        assert leases.take_expired("b") is None
    time.sleep(0.6)
    taken = leases.take_expired("b")
    assert taken is not None
    assert (taken.job_id, taken.queue) == (lease.job_id, lease.queue)
    assert leases.take_expired("c") is None
    assert not leases.renew(lease)


def test_a_holder_learns_that_its_lease_is_lost(connected: Servers, lease: Lease) -> None:
    leases = Leases(connected.redis, lease_s=0.3)
    connected.redis.hset(LEASE_HOLDERS, lease.member, "b")
    with leases.renewing(lease):
        assert lease.lost.wait(5)


def test_a_lease_that_was_given_up_stays_so(connected: Servers, lease: Lease) -> None:
    leases = Leases(connected.redis, lease_s=30)
    leases.release(lease)
    assert not leases.renew(lease)
    assert connected.redis.zcard(LEASES) == 0


def test_only_the_holder_gives_a_lease_up(connected: Servers, lease: Lease) -> None:
    leases = Leases(connected.redis, lease_s=30)
    leases.release(Lease(lease.job_id, lease.queue, "b"))
    assert leases.renew(lease)
