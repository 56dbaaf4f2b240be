"""Plans up to a million jobs a day, for docs/planning.md: how many workers, at what price, and a day event by event.

    python benchmarks/planning.py scale         # minutes: plans for 10^3 to 10^6 jobs a day
    python benchmarks/planning.py promise       # what a shorter promise costs
    python benchmarks/planning.py day [HOURS]   # a day of 10^6 jobs; takes the line from scale.csv

Each writes a CSV into docs/planning/; `planning_plots.py` draws them.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping

from planning_tables import Row, read_table, write_figures, write_table

from cascade.workers.planning.demand import DAY_S, Bursts, Demand, Kind, Visit, draw_arrivals, percentile
from cascade.workers.planning.line import Conditions, Device, Pool
from cascade.workers.planning.search import NoPlan, make_plan
from cascade.workers.planning.simulation import Outcome, simulate

PIECE_S = 600

# The example: four stages, two devices, and three kinds of jobs.
SECONDS = {"film.draw": 12.0, "film.fill": 8.0, "film.enlarge": 30.0, "film.refine": 14.0}
DEVICES = {"small": Device("small", 0.7), "large": Device("large", 3.2)}
LARGE_SPEED = 4.0
BURSTS = Bursts(factor=3, length_s=300, every_s=3600)
LOSSES = Conditions(worker_life_s=12 * 3600, restart_s=300)
CONDITIONS: Mapping[str, tuple[Bursts | None, Conditions]] = {
    "steady": (None, Conditions()),
    "bursts": (BURSTS, Conditions()),
    "bursts and losses": (BURSTS, LOSSES),
}
JOBS_PER_DAY = (1_000, 10_000, 100_000, 1_000_000)
CASES = [(name, jobs_per_day) for name in CONDITIONS for jobs_per_day in JOBS_PER_DAY]


def example(jobs_per_day: float, bursts: Bursts | None, whole_p95_s: float = 180.0) -> Demand:
    """Films, half as many drafts that are dropped after the first stage, and some remixes of the last one."""
    visits = tuple(
        Visit(
            queue,
            {
                device: tuple(seconds * part / speed for part in (0.9, 0.95, 1.0, 1.05, 1.1))
                for device, speed in (("small", 1.0), ("large", LARGE_SPEED))
            },
        )
        for queue, seconds in SECONDS.items()
    )
    kinds = (
        Kind("film", 0.6, whole_p95_s, visits),
        Kind("draft", 0.3, 60.0, visits[:1]),
        Kind("remix", 0.1, 60.0, visits[-1:]),
    )
    return Demand(kinds, jobs_per_day / DAY_S, bursts, projects=20)


def plan_scales() -> None:
    """Plan the example's line from a thousand to a million jobs a day; rows that are there already are not planned again."""
    rows: dict[tuple[str, int], Row] = {
        (row["conditions"], int(row["jobs_per_day"])): row for row in read_table("scale.csv")
    }
    for case in sorted(CASES, key=lambda case: case[1]):
        if case not in rows:
            rows[case] = _planned(*case)
            print(rows[case], flush=True)
        write_table("scale.csv", [rows[each] for each in CASES if each in rows])


def _planned(name: str, jobs_per_day: int) -> Row:
    bursts, conditions = CONDITIONS[name]
    demand = example(jobs_per_day, bursts)
    began = time.process_time()
    plan = make_plan(demand, DEVICES, conditions)
    seconds = time.process_time() - began
    row: dict[str, str | float | int] = {"conditions": name, "jobs_per_day": jobs_per_day}
    for pool in plan.pools:
        row[pool.queues[0]] = f"{pool.workers} {pool.device}"
    for kind in demand.kinds:
        row[f"{kind.name}_p95_s"] = plan.outcome.by_kind[kind.name].percentile(0.95)
    return row | {
        "workers": sum(pool.workers for pool in plan.pools),
        "price_per_hour": plan.price,
        "least_price_per_hour": plan.floor_price,
        "price_per_1000_jobs": plan.price * 24_000 / jobs_per_day,
        "lost_workers": plan.outcome.lost_workers,
        "failed": plan.outcome.failed,
        "planned_in_s": seconds,
    }


def plan_promises() -> None:
    """Plan 20,000 jobs a day for shorter and longer promises."""
    rows: list[Row] = []
    for p95_s in (24, 32, 40, 50, 60, 75, 90, 120, 180):
        demand = example(20_000, None, p95_s)
        try:
            plan = make_plan(demand, DEVICES, Conditions())
        except NoPlan as why:
            print(p95_s, why, flush=True)
            continue
        small, large = (
            sum(pool.workers for pool in plan.pools if pool.device == device) for device in ("small", "large")
        )
        film_s = plan.outcome.by_kind["film"].percentile(0.95)
        rows.append(
            {
                "promise_s": p95_s,
                "p95_s": film_s,
                "price_per_hour": plan.price,
                "small": small,
                "large": large,
            }
        )
        print(rows[-1], flush=True)
        write_table("promise.csv", rows)


def simulate_day(hours: int = 24) -> None:
    """Let a million jobs with bursts and losses through ten times the line that was planned for 100,000 with bursts."""
    bursts, conditions = CONDITIONS["bursts and losses"]
    demand = example(1_000_000, bursts)
    planned = {(row["conditions"], row["jobs_per_day"]): row for row in read_table("scale.csv")}
    row = planned["bursts", "100000"]
    pools = []
    for queue in demand.queues:
        workers, device = row[queue].split()
        pools.append(Pool((queue,), device, 10 * int(workers)))
    began = time.process_time()
    outcome = simulate(
        draw_arrivals(demand, 1_000_000 * hours // 24, seed=7),
        pools,
        conditions,
        seed=7,
        sample_every_s=PIECE_S / 10,
    )
    seconds = time.process_time() - began
    write_table("day.csv", [_piece(outcome, pools, piece) for piece in range(hours * 3600 // PIECE_S)])
    late = max(outcome.by_kind[kind.name].percentile(0.95) / kind.p95_s for kind in demand.kinds)
    write_figures(
        {
            "day: hours": str(hours),
            "day: jobs": f"{sum(len(kind.seconds) for kind in outcome.by_kind.values()):,}",
            "day: failed": f"{outcome.failed:,}",
            "day: lost workers": f"{outcome.lost_workers:,}",
            "day: workers": f"{sum(pool.workers for pool in pools):,}",
            "day: film p95": f"{outcome.by_kind['film'].percentile(0.95):.0f} s",
            "day: film p99": f"{outcome.by_kind['film'].percentile(0.99):.0f} s",
            "day: draft p95": f"{outcome.by_kind['draft'].percentile(0.95):.0f} s",
            "day: lateness": f"{late:.2f}",
            "day: longest list": f"{max(max(sample.waiting.values()) for sample in outcome.samples):,}",
            "day: simulated in": f"{seconds:.0f} s",
        }
    )


def _piece(outcome: Outcome, pools: list[Pool], piece: int) -> Row:
    """Return what happened in ten minutes of the day: jobs that arrived, their latencies, lists, and workers."""
    begin, end = piece * PIECE_S, (piece + 1) * PIECE_S
    row: dict[str, float] = {"hour": begin / 3600}
    arrived = 0
    for name in ("film", "draft", "remix"):
        kind = outcome.by_kind[name]
        seconds = sorted(
            value for at, value in zip(kind.arrived, kind.seconds, strict=True) if begin <= at < end
        )
        arrived += len(seconds)
        row[f"{name}_p95_s"] = percentile(seconds, 0.95)
    samples = [sample for sample in outcome.samples if begin <= sample.at < end]
    waiting = max(sum(sample.waiting.values()) for sample in samples)
    away = max(sum(pool.workers for pool in pools) - sum(sample.workers) for sample in samples)
    return row | {"arrived": arrived, "most_waiting": waiting, "most_workers_away": away}


if __name__ == "__main__":
    what, *hours = sys.argv[1:]
    if what == "day":
        simulate_day(*map(int, hours))
    else:
        {"scale": plan_scales, "promise": plan_promises}[what]()
