"""Every open stage waits, is leased or delayed, whatever was lost; and each that waits has a wake-up."""

from __future__ import annotations

import socket
import time
from functools import partial

import pytest
from pydantic import SecretStr

from cascade.workers.job_queue import JobQueue
from cascade.workers.jobs.record import Job, JobStatus, StageStatus
from cascade.workers.jobs.transitions import note_outage, requeue_stage, start_stage
from cascade.workers.keys import LEASE_HOLDERS, LEASES, OPEN, job_key, line_key, open_key, waiting_key
from cascade.workers.queue.lease import Leases
from cascade.workers.queue.waiting import WaitingStages
from cascade.workers.reconciler import Reconciler, ReconcilerLoop
from cascade.workers.servers import Servers
from cascade.workers.settings import Settings
from tests.workers.examples import FIRST, QUEUE, REQUEST, stored_job


def take(connected: Servers, lease_s: float = 30.0, owner: str = "worker-1") -> str:
    lease = WaitingStages(connected.redis, lease_s).take((QUEUE,), owner)
    assert lease is not None
    return lease.job_id


def running(connected: Servers, job_queue: JobQueue, lease_s: float = 30.0, attempts: int = 1) -> Job:
    """A job whose first stage runs, for the last time that a worker may try."""
    job_queue.submit(REQUEST)
    job_id = take(connected, lease_s)
    for _ in range(attempts):
        job = job_queue.jobs.update(job_id, partial(start_stage, stage=FIRST, worker="worker-1", now=1.0))
    return job


def test_a_stage_whose_worker_vanished_waits_again(
    connected: Servers, job_queue: JobQueue, reconciler: Reconciler
) -> None:
    job = running(connected, job_queue, lease_s=0.2)
    reconciler.recover()
    assert job_queue.waiting.count(QUEUE) == 0
    time.sleep(0.25)
    reconciler.recover()
    reconciler.recover()
    assert job_queue.waiting.count(QUEUE) == 1
    assert stored_job(job_queue.jobs, job.id).stage(FIRST).status is StageStatus.QUEUED
    assert connected.redis.zcard(LEASES) == 0


def test_a_stage_that_was_taken_and_never_started_waits_again(
    connected: Servers, job_queue: JobQueue, reconciler: Reconciler
) -> None:
    job_queue.submit(REQUEST)
    job_id = take(connected, lease_s=0.05)
    time.sleep(0.1)
    reconciler.recover()
    assert take(connected, owner="worker-2") == job_id


def test_a_holder_cannot_renew_what_was_recovered(
    connected: Servers, job_queue: JobQueue, reconciler: Reconciler
) -> None:
    job_queue.submit(REQUEST)
    leases = Leases(connected.redis, lease_s=0.05)
    lease = WaitingStages(connected.redis, 0.05).take((QUEUE,), "worker-1")
    assert lease is not None
    time.sleep(0.1)
    taken = leases.take_expired("reconciler")  # before the record is touched
    assert taken is not None
    assert not leases.renew(lease)
    leases.release(taken)
    reconciler.repair()
    assert job_queue.waiting.count(QUEUE) == 1


def test_a_stage_that_loses_every_worker_fails_and_can_be_replayed(
    connected: Servers, job_queue: JobQueue, reconciler: Reconciler
) -> None:
    job_id = running(connected, job_queue, 0.01, attempts=connected.settings.max_attempts).id
    time.sleep(0.05)
    reconciler.recover()
    job = stored_job(job_queue.jobs, job_id)
    assert job.failure is not None
    assert (job.status, job.failure.code, job.failure.stage) == (JobStatus.FAILED, "worker_lost", FIRST)
    assert [letter.job_id for letter in job_queue.dead_letters.list()] == [job_id]
    assert job_queue.waiting.count(QUEUE) == 0
    job_queue.replay(job_id)
    assert job_queue.waiting.count(QUEUE) == 1
    assert job_queue.dead_letters.list() == []


def test_a_worker_lost_while_it_waited_for_a_server_of_ours_costs_no_attempt(
    connected: Servers, job_queue: JobQueue, reconciler: Reconciler
) -> None:
    job_id = running(connected, job_queue, 0.05, attempts=connected.settings.max_attempts).id
    job_queue.jobs.update(job_id, partial(note_outage, stage=FIRST, what="the object store", now=1.0))
    time.sleep(0.1)
    reconciler.recover()
    record = stored_job(job_queue.jobs, job_id).stage(FIRST)
    assert (record.status, record.attempts) == (StageStatus.QUEUED, connected.settings.max_attempts - 1)


def test_a_delayed_retry_waits_when_its_time_has_come(
    connected: Servers, job_queue: JobQueue, reconciler: Reconciler
) -> None:
    job_id = running(connected, job_queue).id
    retry_at = job_queue.jobs.now() + 0.3
    job_queue.jobs.update(job_id, partial(requeue_stage, stage=FIRST, retry_at=retry_at))
    reconciler.recover()
    assert (reconciler.repair(), job_queue.waiting.count(QUEUE)) == (0, 0)
    time.sleep(0.35)
    reconciler.recover()
    assert job_queue.waiting.count(QUEUE) == 1


def test_a_lease_of_a_queue_that_is_gone_is_removed(
    connected: Servers, job_queue: JobQueue, reconciler: Reconciler
) -> None:
    job_id = running(connected, job_queue).id
    connected.redis.zadd(LEASES, {f"{job_id}/keyframes": 1, f"{job_id}/dreams.keyframes": 1})
    reconciler.recover()
    assert connected.redis.zrange(LEASES, 0, -1) == [f"{job_id}/{QUEUE}".encode()]
    assert stored_job(job_queue.jobs, job_id).stage(FIRST).status is StageStatus.IN_PROGRESS


@pytest.mark.parametrize("lost", ["line", "turn", "line and turn", "wake-ups", "all"])
def test_a_stage_that_waits_nowhere_is_found(
    lost: str, connected: Servers, job_queue: JobQueue, reconciler: Reconciler
) -> None:
    job_id = job_queue.submit(REQUEST).id
    waiting, line = waiting_key(QUEUE, "default"), line_key(QUEUE)
    connected.redis.delete(
        *{
            "line": [waiting],
            "turn": [line],
            "line and turn": [line, waiting],
            "wake-ups": [QUEUE],
            "all": [waiting, line, QUEUE],
        }[lost]
    )
    reconciler.repair()
    reconciler.balance()
    assert connected.redis.llen(QUEUE) == 1
    assert take(connected) == job_id


def test_a_running_stage_without_a_lease_is_its_workers_again_or_is_recovered(
    connected: Servers, job_queue: JobQueue, reconciler: Reconciler
) -> None:
    job_queue.submit(REQUEST)
    lease = job_queue.waiting.take((QUEUE,), "worker-1")
    assert lease is not None
    job_queue.jobs.update(lease.job_id, partial(start_stage, stage=FIRST, worker="worker-1", now=1.0))
    connected.redis.delete(LEASES, LEASE_HOLDERS)
    assert reconciler.repair() == 1
    assert job_queue.waiting.count(QUEUE) == 0
    assert Leases(connected.redis, 30).renew(lease)
    assert reconciler.repair() == 0

    connected.redis.delete(LEASES, LEASE_HOLDERS)
    reconciler.repair()
    connected.redis.zadd(LEASES, {lease.member: 1})  # nobody took it back in time
    reconciler.recover()
    assert job_queue.waiting.count(QUEUE) == 1


def test_jobs_that_are_over_or_gone_are_open_no_more(
    connected: Servers, job_queue: JobQueue, reconciler: Reconciler
) -> None:
    ended = job_queue.submit(REQUEST).id
    job_queue.cancel(ended)
    for job_id in (ended, "video_gone"):
        connected.redis.hset(OPEN, job_id, f"{QUEUE} default")
        connected.redis.sadd(open_key("default"), job_id)
    assert reconciler.repair() == 2
    assert job_queue.jobs.open_jobs() == []
    assert connected.redis.scard(open_key("default")) == 0


def test_damaged_records_and_entries_keep_no_other_stage_from_being_found(
    connected: Servers, job_queue: JobQueue, reconciler: Reconciler
) -> None:
    first, last = (job_queue.submit(REQUEST).id for _ in range(2))
    redis = connected.redis
    redis.delete(waiting_key(QUEUE, "default"))
    for number in range(20):
        redis.hset(OPEN, f"video_{number}", f"{QUEUE} default")
        redis.rpush(job_key(f"video_{number}"), "no string")
    redis.hset(OPEN, mapping={b"\xff": b"\xff", "video_gone": "nonsense"})
    redis.zadd(LEASES, {"nonsense": 1, b"\xff": 2, f"video_0/{QUEUE}": 3})
    reconciler.recover()
    reconciler.repair()
    assert {take(connected), take(connected)} == {first, last}
    assert not redis.hexists(OPEN, "video_gone")


def test_there_is_a_wake_up_for_each_stage_that_waits_and_no_more(
    connected: Servers, job_queue: JobQueue, reconciler: Reconciler
) -> None:
    jobs = [job_queue.submit(REQUEST, f"project {index % 3}") for index in range(9)]
    connected.redis.ltrim(QUEUE, 0, 1)
    reconciler.balance()
    assert connected.redis.llen(QUEUE) == 9
    for job in jobs[:6]:
        job_queue.cancel(job.id)
    time.sleep(1.0)  # one process compares the queues in a second
    reconciler.balance()
    assert connected.redis.llen(QUEUE) == 3
    for job in jobs[6:]:
        job_queue.cancel(job.id)
    time.sleep(1.0)
    reconciler.balance()
    assert [key for key in connected.redis.keys("*") if b"line" in key or key == QUEUE.encode()] == []


def test_one_process_compares_the_queues_at_a_time(connected: Servers) -> None:
    assert [Reconciler.of(connected).balance() for _ in range(3)] == [True, False, False]


def test_the_background_work_of_a_process_stops_soon_although_redis_is_frozen(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as frozen:
        url = SecretStr(f"redis://127.0.0.1:{frozen.getsockname()[1]}/0")
        servers = Servers.connect(settings.model_copy(update={"redis_url": url}))
        loop = ReconcilerLoop(Reconciler.of(servers), 0.1)
        loop.start()
        time.sleep(0.2)
        started = time.monotonic()
        loop.stop()
        assert time.monotonic() - started < 5


def test_a_wake_up_that_a_frozen_worker_took_is_sent_again(
    connected: Servers, job_queue: JobQueue, reconciler: Reconciler
) -> None:
    """A frozen machine still gets what Redis has for it, and does nothing about it."""
    job_id = job_queue.submit(REQUEST).id
    assert connected.redis.brpop(QUEUE, timeout=5) is not None
    assert connected.redis.llen(QUEUE) == 0
    reconciler.balance()
    assert connected.redis.llen(QUEUE) == 1
    assert take(connected) == job_id
