"""The simulated line: timelines worked out by hand, theory, and the order of the real lists."""

from __future__ import annotations

import math
import random

import pytest

from cascade.workers.job_queue import JobQueue
from cascade.workers.jobs.record import JobRequest
from cascade.workers.planning.demand import Arrival, Demand, Kind, Visit, draw_arrivals
from cascade.workers.planning.line import Conditions, Pool
from cascade.workers.planning.simulation import Loss, Outcome, WaitingList, _Job, simulate
from cascade.workers.queue.waiting import WaitingStages
from tests.workers.examples import QUEUE

DRAW, PAINT = Visit("a.draw", {"cpu": (4.0,)}), Visit("a.paint", {"cpu": (10.0,)})
VIDEO, DRAFT = Kind("video", 1, 60, (DRAW, PAINT)), Kind("draft", 1, 60, (DRAW,))
APART = [Pool(("a.draw",), "cpu", 1), Pool(("a.paint",), "cpu", 1)]
EXACT = Conditions(handoff_s=0)


def arrival(at: float, kind: Kind = VIDEO, project: str = "default") -> Arrival:
    return Arrival(at, kind, project, (0.0,) * len(kind.visits))


def latencies(outcome: Outcome, kind: Kind = VIDEO) -> list[float]:
    return list(outcome.by_kind[kind.name].seconds)


def test_jobs_go_through_the_stages_one_behind_the_other() -> None:
    """Drawn at 0-4, 4-8, 8-12; painted at 4-14, 14-24, 24-34."""
    outcome = simulate([arrival(0)] * 3, APART, EXACT)
    assert latencies(outcome) == [14, 24, 34]
    assert outcome.busy == (12 / 34, 30 / 34)
    assert outcome.waited_s == {"a.draw": 4, "a.paint": 20 / 3 - 2 / 3}


def test_every_start_takes_a_hand_off() -> None:
    outcome = simulate([arrival(0)], APART, Conditions(handoff_s=0.5))
    assert latencies(outcome) == [15]


def test_drafts_end_after_their_stage() -> None:
    """Drawn at 0-4, 4-8, 8-12; the two videos are painted at 4-14 and 14-24."""
    outcome = simulate([arrival(0), arrival(0, DRAFT), arrival(0)], APART, EXACT)
    assert (latencies(outcome), latencies(outcome, DRAFT)) == ([14, 24], [8])


def test_projects_take_turns() -> None:
    """The large project had a turn at 0, the small one waits since 1: after the large one's turn at 4 it is drawn at 8."""
    jobs = [arrival(0, DRAFT, "large")] * 3 + [arrival(1, DRAFT, "small")]
    outcome = simulate(jobs, APART, EXACT)
    assert sorted(latencies(outcome, DRAFT)) == [4, 8, 12 - 1, 16]


def test_a_worker_of_two_queues_takes_the_one_whose_turn_it_is() -> None:
    """Both are drawn at 0-4 and 4-8, for the second waits since 0 and the first's painting since 4."""
    outcome = simulate([arrival(0)] * 2, [Pool(("a.draw", "a.paint"), "cpu", 1)], EXACT)
    assert latencies(outcome) == [18, 28]


def test_mean_wait_is_that_of_erlang() -> None:
    """M/M/3 with 2.4 erlangs: C = 0.6472, so stages of 10 s wait 0.6472 * 10 / (3 - 2.4) = 10.79 s."""
    exponential = tuple(-10 * math.log(1 - (step + 0.5) / 2000) for step in range(2000))
    kind = Kind("video", 1, 60, (Visit("a.draw", {"cpu": exponential}),))
    arrivals = draw_arrivals(Demand((kind,), 0.24), 30_000, seed=1)
    outcome = simulate(arrivals, [Pool(("a.draw",), "cpu", 3)], EXACT)
    assert outcome.waited_s["a.draw"] == pytest.approx(10.79, rel=0.08)
    assert outcome.busy[0] == pytest.approx(0.8, rel=0.02)


def test_a_lost_workers_stage_waits_for_its_lease_and_begins_anew() -> None:
    """Lost at 1 while it draws; the lease of 30 s, renewed every 10 s, runs out 20 to 30 s later; drawn anew in 4 s."""
    conditions = Conditions(handoff_s=0, lease_s=30, restart_s=5)
    outcome = simulate([arrival(0, DRAFT)], APART[:1], conditions, losses=[Loss(1, 0)])
    (latency,) = latencies(outcome, DRAFT)
    assert 1 + 20 + 4 <= latency <= 1 + 30 + 4
    assert (outcome.lost_workers, outcome.failed) == (1, 0)


def test_a_worker_that_is_lost_while_it_is_idle_takes_nothing_until_it_is_back() -> None:
    """Lost at 1, back at 6, when the job of 3 is drawn: it ends at 10."""
    outcome = simulate(
        [arrival(3, DRAFT)], APART[:1], Conditions(handoff_s=0, restart_s=5), losses=[Loss(1, 0)]
    )
    assert latencies(outcome, DRAFT) == [7]


def test_a_stage_longer_than_workers_live_fails_after_its_attempts() -> None:
    endless = Kind("endless", 1, 60, (Visit("a.draw", {"cpu": (1e6,)}),))
    conditions = Conditions(handoff_s=0, lease_s=30, max_attempts=3, worker_life_s=100, restart_s=10)
    outcome = simulate([arrival(0, endless)], APART[:1], conditions)
    assert (outcome.failed, outcome.lost_workers) == (1, 3)
    assert outcome.lateness([endless]) == math.inf


def test_lost_workers_are_away_for_their_part_of_the_time() -> None:
    """Lives of 90 s and restarts of 10 s: of ten workers nine are there."""
    conditions = Conditions(handoff_s=0, max_attempts=10, worker_life_s=90, restart_s=10)
    arrivals = [arrival(5.0 * number, DRAFT) for number in range(4000)]
    outcome = simulate(arrivals, [Pool(("a.draw",), "cpu", 10)], conditions, sample_every_s=5)
    there = [sample.workers[0] for sample in outcome.samples]
    assert sum(there) / len(there) == pytest.approx(9, rel=0.03)
    assert outcome.failed == 0
    assert len(latencies(outcome, DRAFT)) == 4000


def test_jobs_of_the_warm_up_do_not_count() -> None:
    outcome = simulate([arrival(0), arrival(100), arrival(200)], APART, EXACT, count_from_s=50)
    assert list(outcome.by_kind["video"].arrived) == [100, 200]


def test_the_list_gives_stages_out_in_the_order_of_the_real_one(
    job_queue: JobQueue, waiting: WaitingStages
) -> None:
    """Jobs of three projects are put in and taken out, both in the same random order."""
    draw = random.Random(3)
    simulated, numbers = WaitingList(), {}
    taken: list[tuple[int, int]] = []
    for number in range(60):
        project = draw.choice(["a", "a", "a", "b", "c"])
        job = job_queue.submit(JobRequest("shapes", "a red circle", number), project)
        numbers[job.id] = number
        simulated.put(_Job(Arrival(number, DRAFT, project, (0.0,)), number), number)
        while simulated.length > 10 or (number == 59 and simulated.length):
            lease = waiting.take([QUEUE], "test-1")
            assert lease is not None
            taken.append((numbers[lease.job_id], simulated.take(number).number))
    assert len(taken) == 60
    assert [real for real, _ in taken] == [own for _, own in taken]
    assert [real for real, _ in taken] != sorted(real for real, _ in taken)
