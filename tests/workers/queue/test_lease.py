"""Leases: one holder at a time, and they run out."""

from __future__ import annotations

import time

from cascade.workers.keys import LEASE_HOLDERS
from cascade.workers.queue.lease import Leases
from cascade.workers.servers import Servers
from tests.workers.examples import QUEUE


def test_one_lease_at_a_time_and_it_runs_out(connected: Servers) -> None:
    leases = Leases(connected.redis, lease_s=0.4)
    first = leases.take("video_1", QUEUE, "a")
    assert first is not None
    assert leases.take("video_1", QUEUE, "b") is None
    with leases.renewing(first):
        time.sleep(0.8)
        assert leases.take("video_1", QUEUE, "b") is None
        assert leases.expired() == []
    time.sleep(0.5)
    assert leases.expired() == [("video_1", QUEUE)]
    assert leases.take("video_1", QUEUE, "b") is not None
    assert not leases.renew(first)


def test_the_stages_of_a_job_have_leases_of_their_own(leases: Leases) -> None:
    assert leases.take("video_1", QUEUE, "a") is not None
    assert leases.take("video_1", "shapes.interpolation", "b") is not None


def test_a_holder_learns_that_its_lease_is_lost(connected: Servers) -> None:
    leases = Leases(connected.redis, lease_s=0.3)
    lease = leases.take("video_1", QUEUE, "a")
    assert lease is not None
    connected.redis.hset(LEASE_HOLDERS, lease.member, "b")
    with leases.renewing(lease):
        assert lease.lost.wait(2)


def test_an_expired_lease_that_was_taken_again_is_not_removed(connected: Servers) -> None:
    leases = Leases(connected.redis, lease_s=0.05)
    leases.take("video_1", QUEUE, "a")
    time.sleep(0.1)
    longer = Leases(connected.redis, lease_s=30)
    assert longer.take("video_1", QUEUE, "b") is not None
    leases.remove_expired("video_1", QUEUE)
    assert longer.take("video_1", QUEUE, "c") is None
