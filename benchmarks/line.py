"""A monolith against the line: the same jobs, the same number of processes, stages that sleep.

    python benchmarks/line.py simulate                  # the rate that each holds, by the simulation
    python benchmarks/line.py run [--minutes 10]        # both at once on a real stack, and in the simulation

Each process of the monolith has all stages and takes whole jobs from one list; each process of the line has one stage. Jobs are
films of four stages, drafts that are dropped after the first stage, and remixes of the last one. A monolith whose networks do not
fit into its device together loads each before it runs; one whose networks do fit never does. Writes docs/planning/line_*.csv.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from planning_tables import Row, write_table
from sleeping_line import Run, Scenario, Submission, embedded_servers, run_scenarios

from cascade.workers.planning.demand import Bursts, Demand, Kind, Visit, draw_arrivals, percentile
from cascade.workers.planning.line import Conditions, Pool
from cascade.workers.planning.simulation import simulate
from cascade.workers.planning.trace import Trace

SECONDS = {"draw": 12.0, "fill": 10.0, "enlarge": 30.0, "refine": 14.0}
SPREAD = 0.1
KINDS = {"film": (0.6, tuple(SECONDS)), "draft": (0.3, ("draw",)), "remix": (0.1, ("refine",))}
TARGETS_S = {"film": 240.0, "draft": 60.0, "remix": 60.0}
LOAD_S = 5.0
WORKERS = 12
BURSTS = Bursts(factor=3, length_s=120, every_s=1200)
ARRIVALS: Mapping[str, Bursts | None] = {"Poisson": None, "bursts": BURSTS}
SYSTEMS = ("line", "monolith", "monolith that loads")
HANDOFF = Conditions(handoff_s=0.05)
STEPS = 9


def demand(system: str, jobs_per_hour: float, bursts: Bursts | None) -> Demand:
    """Return what comes to a system: a stage after the other in a line, the whole job at once in a monolith."""
    return Demand(
        tuple(
            Kind(name, share, TARGETS_S[name], _visits(system, stages))
            for name, (share, stages) in KINDS.items()
        ),
        jobs_per_hour / 3600,
        bursts,
    )


def pools(system: str) -> tuple[Pool, ...]:
    """Spread the workers: over the stages by their load, or all over one list."""
    if system != "line":
        return (Pool(("all.jobs",), "cpu", WORKERS),)
    per_job = {
        stage: seconds * sum(share for share, stages in KINDS.values() if stage in stages)
        for stage, seconds in SECONDS.items()
    }
    workers = dict.fromkeys(SECONDS, 1)
    while sum(workers.values()) < WORKERS:
        busiest = max(workers, key=lambda stage: per_job[stage] / workers[stage])
        workers[busiest] += 1
    return tuple(Pool((f"line.{stage}",), "cpu", number) for stage, number in workers.items())


def rate_held(system: str, bursts: Bursts | None) -> float:
    """Return at how many jobs an hour the 95 % latencies of all kinds just hold, by halving."""
    low, high = 0.0, 2 * 3600 * WORKERS / sum(SECONDS.values())
    for _ in range(STEPS):
        middle = (low + high) / 2
        asked = demand(system, middle, bursts)
        if Trace.drawn(asked, seed=1, times=4).through(pools(system), HANDOFF).lateness(asked.kinds) <= 1:
            low = middle
        else:
            high = middle
    return low


def simulate_rates() -> None:
    """Write the rate that each system holds."""
    rows: list[Row] = []
    for arrivals, bursts in ARRIVALS.items():
        for system in SYSTEMS:
            held = rate_held(system, bursts)
            asked = demand(system, held, bursts)
            outcome = Trace.drawn(asked, seed=2, times=4).through(pools(system), HANDOFF)
            busy = sum(share * pool.workers for share, pool in zip(outcome.busy, pools(system), strict=True))
            row: dict[str, str | float] = {"arrivals": arrivals, "system": system, "jobs_per_hour": held}
            for name in KINDS:
                row[f"{name}_p50_s"] = outcome.by_kind[name].percentile(0.5)
                row[f"{name}_p95_s"] = outcome.by_kind[name].percentile(0.95)
            rows.append(row | {"busy": busy / WORKERS})
            print(rows[-1], flush=True)
    write_table("line_rates.csv", rows)


def run_both(minutes: float, jobs_per_hour: float, seed: int) -> None:
    """Run line and monolith side by side on a real stack with the same jobs, and simulate them with the same jobs."""
    rows: list[Row] = []
    for arrivals, bursts in ARRIVALS.items():
        jobs = round(minutes / 60 * jobs_per_hour)
        asked = demand("line", jobs_per_hour, bursts)
        came = [(arrival.at, arrival.kind.name) for arrival in draw_arrivals(asked, jobs, seed)]
        with tempfile.TemporaryDirectory() as folder, embedded_servers(Path(folder)) as env:
            (run,) = run_scenarios([_scenario(came)], env)
        for system in ("line", "monolith"):
            rows += [
                {"arrivals": arrivals, "system": system, "source": source, **row}
                for source, row in (
                    ("real", _measured(run, system)),
                    ("simulated", _simulated(came, system, seed)),
                )
            ]
    write_table("line_run.csv", rows)


def _visits(system: str, stages: Sequence[str]) -> tuple[Visit, ...]:
    if system == "line":
        return tuple(Visit(f"line.{stage}", {"cpu": _spread(SECONDS[stage])}) for stage in stages)
    loads_s = LOAD_S * len(stages) if system == "monolith that loads" else 0.0
    return (Visit("all.jobs", {"cpu": _spread(sum(SECONDS[stage] for stage in stages), loads_s)}),)


def _spread(seconds: float, more_s: float = 0.0) -> tuple[float, ...]:
    return tuple(more_s + seconds * (1 + SPREAD * part) for part in (-1, -0.5, 0, 0.5, 1))


def _scenario(came: Sequence[tuple[float, str]]) -> Scenario:
    """Put both systems onto one stack: their queues have nothing in common."""
    presets = {"line": SECONDS, "line-remix": {"refine": SECONDS["refine"]}}
    presets |= {
        f"mono-{name}": {"all": sum(SECONDS[stage] for stage in stages)}
        for name, (_, stages) in KINDS.items()
    }
    workers: list[tuple[str, ...]] = [tuple(f"mono-{name}.all" for name in KINDS)] * WORKERS
    for pool in pools("line"):
        shared = ("line-remix.refine",) if pool.queues == ("line.refine",) else ()
        workers += [(*pool.queues, *shared)] * pool.workers
    in_line = {"film": ("line", None), "draft": ("line", "draw"), "remix": ("line-remix", None)}
    submissions = [
        submission
        for at, name in came
        for submission in (Submission(at, *in_line[name]), Submission(at, f"mono-{name}"))
    ]
    return Scenario({name: dict(stages) for name, stages in presets.items()}, workers, submissions, SPREAD)


def _measured(run: Run, system: str) -> Row:
    jobs = [job for job in run.jobs if job.preset.startswith("line" if system == "line" else "mono")]
    latencies = {
        name: sorted(
            job.finished_at - job.created_at for job in jobs if _kind(job.preset, len(job.stages)) == name
        )
        for name in KINDS
    }
    return _row(latencies, len(jobs) / max(job.finished_at for job in jobs))


def _kind(preset: str, stages: int) -> str:
    if preset == "line":
        return "draft" if stages == 1 else "film"
    return preset.partition("-")[2]


def _simulated(came: Sequence[tuple[float, str]], system: str, seed: int) -> Row:
    kinds = {kind.name: kind for kind in demand(system, 1, None).kinds}
    arrivals = [
        replace(arrival, at=at, kind=kinds[name], draws=arrival.draws[:1] * len(kinds[name].visits))
        for (at, name), arrival in zip(
            came, draw_arrivals(demand(system, 1, None), len(came), seed), strict=True
        )
    ]
    outcome = simulate(arrivals, pools(system), HANDOFF)
    latencies = {name: sorted(outcome.by_kind[name].seconds) for name in KINDS if name in outcome.by_kind}
    return _row(latencies, len(came) / outcome.ended_at)


def _row(latencies: Mapping[str, list[float]], per_second: float) -> dict[str, float]:
    row = {"jobs_per_hour": 3600 * per_second}
    for name in KINDS:
        row |= {
            f"{name}_p{round(100 * share)}_s": percentile(latencies.get(name, []), share)
            for share in (0.5, 0.95, 0.99)
        }
    return row


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("simulate", "run"))
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--jobs-per-hour", type=float, default=600)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if options.what == "simulate":
        simulate_rates()
    else:
        run_both(options.minutes, options.jobs_per_hour, options.seed)


if __name__ == "__main__":
    main()
