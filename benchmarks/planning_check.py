"""The simulation beside a real line: Redis, the object store, Celery and workers, with stages that sleep.

    python benchmarks/planning_check.py     # some minutes; writes docs/planning/real_line.csv

What is measured on the real line are the times of its stages, its hand-off, and how long a worker that was killed was away.
When which stage runs, and so throughput and latency, is for the simulation to find out.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Mapping
from pathlib import Path

from planning_tables import Row, write_figures, write_table
from sleeping_line import JobRun, Kill, Run, Scenario, Submission, embedded_servers, run_scenarios

from cascade.workers.planning.demand import percentile
from cascade.workers.planning.line import Conditions, Pool
from cascade.workers.planning.records import RecordedJob, RecordedStage, arrivals_again, kinds_of
from cascade.workers.planning.simulation import Loss, simulate

SEEDS = range(50)
LEASE_S = 3.0
REAL: Mapping[str, Scenario] = {
    "even": Scenario(
        presets={"even": {"draw": 0.4, "fill": 0.5, "paint": 0.9}},
        spread=0.3,
        workers=[("even.draw",), ("even.fill",), ("even.paint",), ("even.paint",)],
        submissions=[Submission(0.55 * number, "even") for number in range(30)],
    ),
    "bursts, drafts, projects": Scenario(
        presets={"bursts": {"draw": 0.5, "paint": 0.9}},
        spread=0.3,
        workers=[("bursts.draw",), ("bursts.paint",), ("bursts.paint",)],
        submissions=[
            Submission(
                7.0 * (number // 12) + 0.05 * (number % 12),
                "bursts",
                "draw" if number % 4 == 3 else None,
                "large" if number % 3 else "small",
            )
            for number in range(36)
        ],
    ),
    "shared workers": Scenario(
        presets={"shared": {"draw": 0.5, "paint": 0.9}},
        spread=0.3,
        workers=[("shared.draw", "shared.paint")] * 2,
        submissions=[Submission(0.6 * number, "shared") for number in range(30)],
    ),
    "a lost worker": Scenario(
        presets={"loss": {"draw": 0.5, "paint": 1.2}},
        spread=0.3,
        workers=[("loss.draw",), ("loss.paint",), ("loss.paint",)],
        submissions=[Submission(0.5 * number, "loss") for number in range(30)],
        kills=[Kill(at=6.0, worker=1, restart_s=4.0)],
    ),
}


def main() -> None:
    """Run each scenario, and simulate it."""
    with tempfile.TemporaryDirectory() as folder, embedded_servers(Path(folder)) as env:
        runs = run_scenarios(list(REAL.values()), env | {"CASCADE_LEASE_S": str(LEASE_S)})
    rows: list[Row] = [
        {"scenario": name, **compare(REAL[name], run)} for name, run in zip(REAL, runs, strict=True)
    ]
    write_table("real_line.csv", rows)
    for figure in ("throughput", "p50", "p95"):
        worst = max(abs(float(row[f"{figure}_error"])) for row in rows)
        write_figures({f"worst error of {figure}": f"{100 * worst:.1f} %"})
    handoff_s = statistics.median(float(row["handoff_s"]) for row in rows)
    write_figures({"hand-off": f"{1000 * handoff_s:.0f} ms"})


def compare(scenario: Scenario, run: Run) -> Row:
    """Return throughput (jobs a second) and latencies (seconds) of the real line and of its simulation."""
    real = sorted(job.finished_at - job.created_at for job in run.jobs)
    ended_at = max(job.finished_at for job in run.jobs)
    records = [_record(job) for job in run.jobs]
    kinds = kinds_of(records, p95_s=60, speeds={"cpu": 1.0})
    pools = [
        Pool(queues, "cpu", scenario.workers.count(queues)) for queues in dict.fromkeys(scenario.workers)
    ]
    losses = [
        Loss(kill.at, [pool.queues for pool in pools].index(scenario.workers[kill.worker]))
        for kill in scenario.kills
    ]
    restart_s = _restart_s(scenario.kills[0], run) if scenario.kills else 0.0
    conditions = Conditions(run.handoff_s, LEASE_S, restart_s=restart_s)
    p50, p95, throughput = [], [], []
    for seed in SEEDS:
        outcome = simulate(arrivals_again(records, kinds, seed), pools, conditions, seed=seed, losses=losses)
        seconds = sorted(value for kind in outcome.by_kind.values() for value in kind.seconds)
        p50.append(percentile(seconds, 0.5))
        p95.append(percentile(seconds, 0.95))
        throughput.append(len(records) / outcome.ended_at)
    row: dict[str, float] = {"jobs": len(records)}
    for name, measured, simulated in (
        ("throughput", len(records) / ended_at, throughput),
        ("p50", percentile(real, 0.5), p50),
        ("p95", percentile(real, 0.95), p95),
    ):
        foretold = statistics.mean(simulated)
        row |= {
            f"{name}_real": measured,
            f"{name}_simulated": foretold,
            f"{name}_error": foretold / measured - 1,
        }
    return row | {"handoff_s": run.handoff_s}


def _record(job: JobRun) -> RecordedJob:
    # A stage that was killed has its last start on record: its time is that of the run that succeeded.
    stages = (RecordedStage(stage.name, stage.finished_at - stage.started_at) for stage in job.stages)
    return RecordedJob(job.preset, "16x16", job.created_at, tuple(stages), job.project)


def _restart_s(kill: Kill, run: Run) -> float:
    """Return how long a killed worker was away: until a worker that had not been there began its first stage."""
    starts: dict[str, float] = {}
    for stage in sorted(
        (stage for job in run.jobs for stage in job.stages), key=lambda stage: stage.started_at
    ):
        starts.setdefault(stage.worker, stage.started_at)
    return min(start for start in starts.values() if start > kill.at) - kill.at


if __name__ == "__main__":
    main()
