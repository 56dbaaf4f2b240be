"""A plan as tables for people, and as JSON for programs."""

from __future__ import annotations

import math
from typing import Any

from rich.console import Console
from rich.table import Table

from cascade.workers.planning.demand import DAY_S, Demand
from cascade.workers.planning.line import Device, Pool
from cascade.workers.planning.search import Plan
from cascade.workers.planning.simulation import Latencies

HOUR_S = 3600
SHARES = {"p50_s": 0.5, "p95_s": 0.95, "p99_s": 0.99}


def as_json(plan: Plan, demand: Demand, devices: dict[str, Device]) -> dict[str, Any]:
    """Return the plan as JSON; a latency is null where not that share of the jobs were done, or none came."""
    outcome = plan.outcome
    return {
        "workers": [
            {
                "queues": list(pool.queues),
                "device": pool.device,
                "workers": pool.workers,
                "busy": round(busy, 4),
                "waiting_s": round(_waited_s(plan, pool), 3),
                "price_per_hour": round(pool.workers * devices[pool.device].price, 6),
            }
            for pool, busy in zip(plan.pools, outcome.busy, strict=True)
        ],
        "kinds": [
            {
                "name": kind.name,
                "jobs_per_day": round(demand.per_second * demand.share(kind) * DAY_S, 3),
                **{
                    name: _finite(outcome.by_kind.get(kind.name, Latencies()).percentile(share))
                    for name, share in SHARES.items()
                },
                "target_s": kind.p95_s,
            }
            for kind in demand.kinds
        ],
        "meets_targets": plan.lateness <= 1,
        "price_per_hour": round(plan.price, 6),
        "price_per_1000_jobs": round(1000 * plan.price / HOUR_S / demand.per_second, 6),
        "least_price_per_hour": round(plan.floor_price, 6),
        "simulated": {
            "jobs": sum(len(kind.seconds) for kind in outcome.by_kind.values()),
            "hours": round(plan.span_s / HOUR_S, 3),
            "failed": outcome.failed,
            "lost_workers": outcome.lost_workers,
        },
    }


def show(plan: Plan, demand: Demand, devices: dict[str, Device], console: Console) -> None:
    """Print the plan as tables."""
    report = as_json(plan, demand, devices)
    workers = Table("queues", "device", "workers", "busy", "waiting", "price/h")
    for row in report["workers"]:
        workers.add_row(
            " ".join(row["queues"]),
            row["device"],
            str(row["workers"]),
            f"{100 * row['busy']:.0f} %",
            _time(row["waiting_s"]),
            f"{row['price_per_hour']:.2f}",
        )
    kinds = Table("kind", "jobs/day", "P50", "P95", "P99", "P95 is to be")
    for row in report["kinds"]:
        latencies = (_time(row[name]) for name in SHARES)
        kinds.add_row(row["name"], f"{row['jobs_per_day']:.0f}", *latencies, _time(row["target_s"]))
    for table in (workers, kinds):
        for column in table.columns[1:]:
            column.justify, column.no_wrap = "right", True
        console.print(table, markup=False)
    price, jobs = report["price_per_hour"], report["price_per_1000_jobs"]
    lines = (
        f"{price:.2f} an hour, {24 * price:.2f} a day, {jobs:.2f} for 1,000 jobs",
        f"the fewest workers that keep up at all would cost {report['least_price_per_hour']:.2f} an hour",
        "simulated: {jobs} jobs in {hours:.1f} hours, {failed} failed, {lost_workers} workers lost".format(
            **report["simulated"]
        ),
    )
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if not report["meets_targets"]:
        console.print("this line is too slow", style="red", markup=False, highlight=False)


def _waited_s(plan: Plan, pool: Pool) -> float:
    """Return the longest of the mean waits in a pool's lists."""
    return max(plan.outcome.waited_s[queue] for queue in pool.queues)


def _finite(seconds: float) -> float | None:
    return round(seconds, 3) if math.isfinite(seconds) else None


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    if seconds < 100:
        return f"{seconds:.2g} s" if seconds < 1 else f"{seconds:.1f} s"
    return f"{seconds:.0f} s" if seconds < HOUR_S else f"{seconds / HOUR_S:.1f} h"
