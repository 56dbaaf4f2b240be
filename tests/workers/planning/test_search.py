"""Plans meet their targets with the workers and devices that they need, and no more."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cascade.workers.planning.demand import DAY_S, Bursts, Demand, Kind, Visit
from cascade.workers.planning.layouts import apart, shared
from cascade.workers.planning.line import Conditions, Device, Pool
from cascade.workers.planning.search import NoPlan, Plan, assess, make_plan

SLOW, FAST = Device("slow", 0.7), Device("fast", 3.2)
SECONDS = {"a.draw": 40.0, "a.paint": 80.0}
GB = 1 << 30


def demand(jobs_per_day: float, p95_s: float, fast: float = 4, memory_bytes: int | None = None) -> Demand:
    """Videos of two stages, which are `fast` times as fast on the faster device."""
    visits = tuple(
        Visit(queue, {"slow": (seconds,), "fast": (seconds / fast,)}, memory_bytes)
        for queue, seconds in SECONDS.items()
    )
    return Demand((Kind("video", 1, p95_s, visits),), jobs_per_day / DAY_S)


def planned(
    asked: Demand, *devices: Device, conditions: Conditions | None = None, share: bool = False
) -> Plan:
    layouts = [*shared(asked), apart(asked)] if share else None
    offered = {device.name: device for device in devices}
    return make_plan(asked, offered, conditions or Conditions(handoff_s=0), layouts=layouts)


def workers(plan: Plan) -> dict[str, int]:
    return {" ".join(pool.queues): pool.workers for pool in plan.pools}


def test_a_plan_meets_its_target_and_one_worker_fewer_does_not() -> None:
    """10,000 a day are 0.1157 a second: 4.63 and 9.26 erlangs, so at least 5 and 10 workers."""
    asked = demand(10_000, p95_s=200)
    plan = planned(asked, SLOW)
    assert plan.outcome.lateness(asked.kinds) <= 1
    assert plan.floor_price == pytest.approx(15 * 0.7)
    assert workers(plan)["a.draw"] >= 5
    assert workers(plan)["a.paint"] >= 10
    for index, pool in enumerate(plan.pools):
        fewer = tuple(
            replace(each, workers=each.workers - 1) if each is pool else each for each in plan.pools
        )
        late = assess(asked, {"slow": SLOW}, Conditions(handoff_s=0), fewer)
        assert late.outcome.lateness(asked.kinds) > 0.95, index  # another draw of jobs than the search's


def test_a_tighter_target_costs_more_and_a_looser_one_the_floor() -> None:
    loose, tight = planned(demand(5_000, 3600), SLOW), planned(demand(5_000, 150), SLOW)
    assert loose.price == pytest.approx(loose.floor_price)
    assert tight.price > loose.price


def test_the_device_is_the_one_that_does_the_work_for_less() -> None:
    """Four times as fast for 4.6 times the price loses, eight times as fast wins."""
    for speed, expected in ((4, "slow"), (8, "fast")):
        plan = planned(demand(20_000, 1000, fast=speed), SLOW, FAST)
        assert {pool.device for pool in plan.pools} == {expected}


def test_a_target_that_a_device_cannot_meet_takes_the_faster_one() -> None:
    """The slow device needs 120 s for a video without any wait; to draw on it and to paint fast takes 60 s."""
    plan = planned(demand(500, 90), SLOW, FAST)
    assert [pool.device for pool in plan.pools] == ["slow", "fast"]


def test_what_no_number_of_workers_can_do_is_said_with_its_stages() -> None:
    with pytest.raises(NoPlan, match=r"within 100 s cannot be had by more workers: .*a\.paint 80 s on slow"):
        planned(demand(1000, 100), SLOW)


def test_few_jobs_share_workers_where_memory_allows_it() -> None:
    """100 a day are 0.14 erlangs: one worker of both stages will do, if it holds both in its memory."""
    asked = demand(100, 600, memory_bytes=10 * GB)
    assert workers(planned(asked, SLOW, share=True)) == {"a.draw a.paint": 1}
    assert workers(planned(asked, replace(SLOW, memory_bytes=24 * GB), share=True)) == {"a.draw a.paint": 1}
    small = planned(asked, replace(SLOW, memory_bytes=16 * GB), share=True)
    assert workers(small) == {"a.draw": 1, "a.paint": 1}


def test_bursts_and_lost_workers_need_more() -> None:
    asked = demand(5_000, 240)
    calm = planned(asked, SLOW)
    bursts = planned(replace(asked, bursts=Bursts(5, 120, 3600)), SLOW)
    losses = planned(asked, SLOW, conditions=Conditions(handoff_s=0, worker_life_s=1800, restart_s=300))
    assert bursts.price > calm.price
    assert losses.price > calm.price
    assert losses.outcome.lost_workers > 100


def test_workers_that_are_nearly_always_busy_are_not_trusted() -> None:
    """60,000 stages of 30 s a day keep 20.83 of 21 workers busy: in the long run they wait 84 s, in a short one less.

    Allen and Cunneen: 0.95 of them wait 30 / (21 - 20.83) / 2 = 88 s.
    """
    visit = Visit("a.draw", {"slow": (30.0,)})
    asked = Demand((Kind("video", 1, 120, (visit,)),), 60_000 / DAY_S)
    full = assess(asked, {"slow": SLOW}, Conditions(handoff_s=0), (Pool(("a.draw",), "slow", 21),))
    assert full.lateness > 1.5
    assert workers(planned(asked, SLOW)) == {"a.draw": 22}


def test_a_given_line_is_judged_as_it_is() -> None:
    asked = demand(10_000, 200)
    pools = (Pool(("a.draw",), "slow", 4), Pool(("a.paint",), "slow", 10))
    plan = assess(asked, {"slow": SLOW}, Conditions(handoff_s=0), pools)
    assert plan.outcome.lateness(asked.kinds) > 10
    assert plan.price == pytest.approx(14 * 0.7)
