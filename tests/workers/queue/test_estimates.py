"""Estimates: places in line as the turns will have it, and seconds worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from cascade.workers.jobs.record import Job, JobRequest
from cascade.workers.jobs.stage_times import MAX_TIMES, done_last_hour, times_key
from cascade.workers.jobs.store import JobStore
from cascade.workers.jobs.transitions import advance_stage, complete_stage, new_job, start_stage
from cascade.workers.queue.estimates import Estimate, Estimates
from cascade.workers.queue.heartbeat import Heartbeat
from cascade.workers.queue.waiting import WaitingStages
from cascade.workers.servers import Servers
from tests.workers.examples import FIRST, OUTPUT, QUEUE, REQUEST, STAGES, stored_job

SECONDS = dict(zip(STAGES, (10.0, 4.0, 20.0, 6.0), strict=True))
"""How long the stages took that were measured."""


@pytest.fixture
def estimates(connected: Servers) -> Estimates:
    return Estimates(connected.redis)


def run_stage(jobs: JobStore, job_id: str, stage: str, seconds: float, started: float = 1000.0) -> None:
    jobs.update(job_id, partial(start_stage, stage=stage, worker="w", now=started))
    output = replace(OUTPUT, gpu_s=0.5)
    jobs.update(job_id, partial(complete_stage, stage=stage, output=output, now=started + seconds))


@pytest.fixture
def measured(jobs: JobStore) -> None:
    """A job that is over has been measured."""
    jobs.create(new_job("measured", REQUEST, 1.0))
    for stage, seconds in SECONDS.items():
        run_stage(jobs, "measured", stage, seconds)


@pytest.fixture
def submit(jobs: JobStore) -> Callable[..., Job]:
    """Creates a job, of the project that its name begins with."""

    def create(name: str, request: JobRequest = REQUEST) -> Job:
        return jobs.create(new_job(name, request, 100.0 + len(jobs.open_jobs()), name[0]))

    return create


def place_of(estimates: Estimates, job: Job) -> int | None:
    return estimates.of([job])[job.id].position


def seconds_of(estimates: Estimates, job: Job) -> float | None:
    return estimates.of([job])[job.id].seconds_left


@pytest.mark.parametrize("turns_taken", range(6))
def test_places_are_those_in_which_the_stages_will_be_taken(
    turns_taken: int, estimates: Estimates, submit: Callable[..., Job], waiting: WaitingStages
) -> None:
    jobs = [submit(name) for name in ("a1", "a2", "a3", "b1", "a4", "c1", "b2", "c2", "c3")]
    for _ in range(turns_taken):
        assert waiting.take((QUEUE,), "worker-1") is not None
    places = {job_id: estimate.position for job_id, estimate in estimates.of(jobs).items()}
    order = []
    while (lease := waiting.take((QUEUE,), "worker-1")) is not None:
        order.append(lease.job_id)
    assert sorted((name for name in places if places[name]), key=lambda name: places[name] or 0) == order
    assert [place for name in order if (place := places[name])] == list(range(1, len(order) + 1))
    assert [name for name in places if places[name] is None] == [
        job.id for job in jobs if job.id not in order
    ]  # workers have these


def test_nothing_is_said_of_seconds_where_a_stage_was_never_measured(
    estimates: Estimates, submit: Callable[..., Job], jobs: JobStore
) -> None:
    job = submit("a1")
    assert estimates.of([job]) == {"a1": Estimate(1, None)}
    for stage in STAGES[:-1]:
        run_stage(jobs, "a1", stage, 5.0)
    assert seconds_of(estimates, submit("a2")) is None
    run_stage(jobs, "a1", STAGES[-1], 5.0)
    assert estimates.of([stored_job(jobs, "a1")]) == {}


@pytest.mark.usefixtures("measured")
def test_a_job_that_is_next_takes_as_long_as_its_stages(
    estimates: Estimates, submit: Callable[..., Job]
) -> None:
    assert estimates.of([submit("a1")]) == {"a1": Estimate(1, 40.0)}  # 10 + 4 + 20 + 6
    draft = submit("b1", replace(REQUEST, stop_after=STAGES[1]))
    # It waits for the first one: 10 s until the worker is free, then 10 + 4 s of its own.
    assert estimates.of([draft]) == {"b1": Estimate(2, 24.0)}


@pytest.mark.usefixtures("measured")
def test_a_running_stage_takes_the_share_of_its_steps_that_is_left(
    estimates: Estimates, submit: Callable[..., Job], jobs: JobStore
) -> None:
    submit("a1")
    jobs.update("a1", partial(start_stage, stage=FIRST, worker="w", now=1.0))
    job = jobs.update("a1", partial(advance_stage, stage=FIRST, step=5, steps=20))
    assert estimates.of([job]) == {"a1": Estimate(None, 37.5)}  # 10 · 15/20 + 4 + 20 + 6


@pytest.mark.usefixtures("measured")
def test_what_waits_before_a_job_is_shared_between_the_workers(
    estimates: Estimates, submit: Callable[..., Job], connected: Servers, waiting: WaitingStages
) -> None:
    jobs = [submit(f"a{number}", replace(REQUEST, stop_after=FIRST)) for number in range(6)]
    for number in range(2):
        heartbeat = Heartbeat(connected.redis, (QUEUE,))
        heartbeat.worker = replace(heartbeat.worker, name=f"worker-{number}")
        heartbeat.set("busy")
        assert waiting.take((QUEUE,), f"worker-{number}-1") is not None
    # Two run, half done on average, and three wait before the last draft: 10 · (3 + 2/2) / 2 = 20 s, then 10 s of its own.
    assert estimates.of(jobs)["a5"] == Estimate(4, 30.0)


@pytest.mark.usefixtures("measured")
def test_a_job_waits_for_those_before_it_at_the_slowest_stage(
    estimates: Estimates, submit: Callable[..., Job]
) -> None:
    # They leave the stages after 10, 14, 34 and 40 s; after 20, 24, 54 and 60 s; after 30, 34, 74 and 80 s.
    jobs = [submit(f"a{number}") for number in range(3)]
    assert [estimate.seconds_left for estimate in estimates.of(jobs).values()] == [40.0, 60.0, 80.0]


@pytest.mark.usefixtures("measured")
def test_a_job_waits_for_what_is_before_it_in_later_lines(
    estimates: Estimates, submit: Callable[..., Job], jobs: JobStore
) -> None:
    third = STAGES[2]
    for number in range(4):
        submit(f"a{number}")
        for stage in STAGES[:2]:
            run_stage(jobs, f"a{number}", stage, SECONDS[stage])
    job = submit("b1")
    # It is at the third stage after 14 s; that is busy with four others for 80 s; then come 20 and 6 s of its own.
    assert stored_job(jobs, "a0").open_stage == third
    assert estimates.of([job]) == {"b1": Estimate(1, 106.0)}


@pytest.mark.usefixtures("measured")
def test_other_sizes_steps_and_guidance_are_measured_apart(
    estimates: Estimates, submit: Callable[..., Job]
) -> None:
    for other in (
        replace(REQUEST, size="128x80"),
        replace(REQUEST, steps={FIRST: 5}),
        replace(REQUEST, guidance_scale={FIRST: 2.0}),
        replace(REQUEST, best_of=2),
    ):
        assert seconds_of(estimates, submit(f"a{other}", other)) is None
    # The preset's own scale, which is no guidance, said.
    assert seconds_of(estimates, submit("z1", replace(REQUEST, guidance_scale={FIRST: 1.0}))) is not None


def test_the_median_of_the_last_runs_counts(
    estimates: Estimates, submit: Callable[..., Job], jobs: JobStore, connected: Servers
) -> None:
    request = replace(REQUEST, stop_after=FIRST)
    for number, seconds in enumerate([900.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 300.0, 9.0]):
        submit(f"a{number}", request)
        run_stage(jobs, f"a{number}", FIRST, seconds)
    job = submit("b1", request)
    assert connected.redis.llen(times_key(job, job.stage(FIRST))) == MAX_TIMES
    assert seconds_of(estimates, job) == 6.0  # of 2 to 9 and 300: the first run is forgotten


def test_an_output_that_was_found_stored_measures_nothing(
    submit: Callable[..., Job], jobs: JobStore, connected: Servers
) -> None:
    job = submit("a1")
    run_stage(jobs, "a1", FIRST, 0.25)  # of 0.5 s on the device
    assert connected.redis.llen(times_key(job, job.stage(FIRST))) == 0
    assert done_last_hour(connected.redis, [QUEUE], 1001.0) == {QUEUE: 1}


def test_what_was_done_in_the_last_hour_is_counted_by_queue(
    submit: Callable[..., Job], jobs: JobStore, connected: Servers
) -> None:
    hour = 3600.0
    for number, finished in enumerate((7 * hour - 1, 7 * hour + 70, 8 * hour - 1, 8 * hour)):
        submit(f"a{number}")
        run_stage(jobs, f"a{number}", FIRST, 10.0, finished - 10.0)
    queues = [QUEUE, f"shapes.{STAGES[1]}"]
    assert done_last_hour(connected.redis, queues, 8 * hour + 5) == {QUEUE: 3, queues[1]: 0}
    assert done_last_hour(connected.redis, [], 1.0) == {}
