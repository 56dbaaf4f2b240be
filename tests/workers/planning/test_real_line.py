"""The simulation foretells what a real line does: Redis, S3, Celery and worker processes, with stages that sleep."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cascade.workers.planning.demand import percentile
from cascade.workers.planning.line import Conditions, Pool
from cascade.workers.planning.records import RecordedJob, RecordedStage, arrivals_again, kinds_of
from cascade.workers.planning.simulation import simulate
from cascade.workers.servers import Servers

ROOT = Path(__file__).parent.parent.parent.parent
SEEDS = range(20)


def run_line(connected: Servers, scenario: dict[str, Any], **settings: str) -> dict[str, Any]:
    """Run a scenario of benchmarks/sleeping_line.py against the servers of the tests."""
    own = connected.settings
    assert own.s3_access_key is not None
    assert own.s3_secret_key is not None
    env = {
        "REDIS_URL": own.redis_url.get_secret_value(),
        "S3_ENDPOINT_URL": own.s3_endpoint_url or "",
        "S3_ACCESS_KEY": own.s3_access_key.get_secret_value(),
        "S3_SECRET_KEY": own.s3_secret_key.get_secret_value(),
        "S3_BUCKET": own.s3_bucket,
        "LOG_LEVEL": "WARNING",
        **settings,
    }
    outcome = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "sleeping_line.py")],
        env=os.environ | {f"CASCADE_{name}": value for name, value in env.items()} | {"OMP_NUM_THREADS": "1"},
        input=json.dumps([scenario]),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    (result,) = json.loads(outcome.stdout)
    run: dict[str, Any] = result
    return run


def recorded(job: dict[str, Any]) -> RecordedJob:
    stages = (
        RecordedStage(stage["name"], stage["finished_at"] - stage["started_at"]) for stage in job["stages"]
    )
    return RecordedJob(job["preset"], "16x16", job["created_at"], tuple(stages), job["project"])


@pytest.mark.slow
def test_throughput_and_p95_of_a_real_line_are_foretold_within_a_tenth(connected: Servers) -> None:
    """24 jobs of two projects in two bursts, a quarter of them drafts: the lists grow and are worked off.

    What is measured on the real line are the times of its stages and the hand-off, as planning does it; when which stage
    runs is for the simulation to find out.
    """
    submissions = [
        {
            "at": 4.0 * (number // 12) + 0.05 * (number % 12),
            "preset": "sleep",
            "stop_after": "draw" if number % 4 == 3 else None,
            "project": "large" if number % 3 else "small",
        }
        for number in range(24)
    ]
    run = run_line(
        connected,
        {
            "presets": {"sleep": {"draw": 0.5, "paint": 0.9}},
            "spread": 0.3,
            "workers": [["sleep.draw"], ["sleep.paint"], ["sleep.paint"]],
            "submissions": submissions,
        },
    )
    jobs = run["jobs"]
    assert {job["status"] for job in jobs} == {"completed"}
    latencies = sorted(job["finished_at"] - job["created_at"] for job in jobs)
    real_p95, real_rate = percentile(latencies, 0.95), len(jobs) / max(job["finished_at"] for job in jobs)

    records = [recorded(job) for job in jobs]
    kinds = kinds_of(records, p95_s=60, speeds={"cpu": 1.0})
    pools = [Pool(("sleep.draw",), "cpu", 1), Pool(("sleep.paint",), "cpu", 2)]
    conditions = Conditions(handoff_s=run["handoff_s"])
    outcomes = [simulate(arrivals_again(records, kinds, seed), pools, conditions) for seed in SEEDS]
    p95 = statistics.mean(
        percentile(sorted(s for kind in outcome.by_kind.values() for s in kind.seconds), 0.95)
        for outcome in outcomes
    )
    rate = statistics.mean(len(jobs) / outcome.ended_at for outcome in outcomes)
    assert p95 == pytest.approx(real_p95, rel=0.1)
    assert rate == pytest.approx(real_rate, rel=0.1)
