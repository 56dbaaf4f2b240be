"""Turns: who waits, and who is next."""

from __future__ import annotations

from functools import partial

from cascade.workers.job_queue import JobQueue
from cascade.workers.jobs.record import Job
from cascade.workers.jobs.store import JobStore
from cascade.workers.jobs.transitions import complete_stage, new_job, start_stage
from cascade.workers.queue.waiting import WaitingStages
from tests.workers.examples import FIRST, OUTPUT, QUEUE, REQUEST, SECOND

NEXT_QUEUE = f"shapes.{SECOND}"


def create(jobs: JobStore, *names: str) -> None:
    """Jobs such as `a1`, of the project `a`, in this order of creation."""
    for index, name in enumerate(names):
        jobs.create(new_job(name, REQUEST, 100.0 + index, name[0]))


def taken(waiting: WaitingStages, count: int, *queues: str) -> list[str | None]:
    leases = [waiting.take(queues or (QUEUE,), "worker") for _ in range(count)]
    return [None if lease is None else lease.job_id for lease in leases]


def test_projects_take_turns(jobs: JobStore, waiting: WaitingStages) -> None:
    create(jobs, "a1", "a2", "a3", "b1", "c1")
    assert waiting.count(QUEUE) == 5
    assert taken(waiting, 6) == ["a1", "b1", "c1", "a2", "a3", None]


def test_a_latecomer_does_not_wait_for_all_jobs_before_it(jobs: JobStore, waiting: WaitingStages) -> None:
    create(jobs, *(f"a{index:02}" for index in range(30)))
    assert taken(waiting, 10) == [f"a{index:02}" for index in range(10)]
    create(jobs, "b1")
    assert "b1" in taken(waiting, 2)


def test_later_stages_take_turns_too(jobs: JobStore, waiting: WaitingStages) -> None:
    def finish_first(job: Job) -> Job:
        return complete_stage(start_stage(job, FIRST, "w", 1), FIRST, OUTPUT, 2)

    create(jobs, "a1", "a2", "b1")
    for name in ("a1", "a2", "b1"):
        jobs.update(name, finish_first)
    assert waiting.count(QUEUE) == 0
    assert taken(waiting, 4, NEXT_QUEUE) == ["a1", "b1", "a2", None]


def test_a_worker_of_two_queues_takes_what_waits_longest(jobs: JobStore, waiting: WaitingStages) -> None:
    create(jobs, "a1")
    jobs.update("a1", partial(start_stage, stage=FIRST, worker="w", now=1.0))
    jobs.update("a1", partial(complete_stage, stage=FIRST, output=OUTPUT, now=2.0))
    create(jobs, "b1")
    assert taken(waiting, 3, QUEUE, NEXT_QUEUE) == ["a1", "b1", None]


def test_a_stage_is_taken_with_its_lease_and_only_once(job_queue: JobQueue, waiting: WaitingStages) -> None:
    job = job_queue.submit(REQUEST)
    lease = waiting.take((QUEUE,), "worker-1")
    assert lease is not None
    assert (lease.job_id, lease.queue, lease.owner) == (job.id, QUEUE, "worker-1")
    job_queue.jobs.restore(job.id)  # it waits again by mistake, while the lease is held
    assert waiting.take((QUEUE,), "worker-2") is None


def test_cancelled_and_deleted_jobs_have_no_turn(job_queue: JobQueue, waiting: WaitingStages) -> None:
    first, second, third = (job_queue.submit(REQUEST).id for _ in range(3))
    job_queue.cancel(first)
    job_queue.delete(second)
    assert waiting.count(QUEUE) == 1
    assert taken(waiting, 2) == [third, None]


def test_how_long_a_project_has_waited_for_a_turn(jobs: JobStore, waiting: WaitingStages) -> None:
    assert waiting.waited_s(QUEUE) == 0.0
    create(jobs, "a1", "b1")
    first = waiting.waited_s(QUEUE)
    assert 0 < first < waiting.waited_s(QUEUE) < 30
    taken(waiting, 2)
    assert waiting.waited_s(QUEUE) == 0.0
