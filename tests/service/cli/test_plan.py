"""`cascade plan`: from options, from a file, and from a gateway's videos."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from cascade.service.cli.main import app
from cascade.workers.job_queue import JobQueue
from cascade.workers.servers import Servers

Run = Callable[..., subprocess.CompletedProcess[str]]
STAGES = ("--stage", "a.draw=40", "--stage", "a.paint=78,80,82")


@pytest.fixture
def plan(cascade: Run, tmp_path: Path) -> Run:
    return lambda *args, **env: cascade("plan", *args, cwd=tmp_path, **env)


def test_a_plan_is_a_table_for_people(plan: Run) -> None:
    """10,000 a day are 0.1157 a second: at least 5 workers that draw and 10 that paint."""
    done = plan(*STAGES, "--jobs-per-day", "10000", "--p95-s", "200", "--device", "l4=0.70", COLUMNS="120")
    assert done.returncode == 0, done.stderr
    assert "a.paint" in done.stdout
    assert "200 s" in done.stdout
    assert "the fewest workers that keep up at all would cost 10.50 an hour" in done.stdout


def test_a_plan_is_json_for_programs_and_the_same_each_time(plan: Run) -> None:
    options = (
        *(*STAGES, "--jobs-per-day", "3000", "--p95-s", "100", "--device", "l4=0.70"),
        *(
            "--device",
            "h200=3.20@4",
            "--drafts",
            "0.4",
            "--worker-life-h",
            "24",
            "--bursts",
            "3x60/1800",
            "--json",
        ),
    )
    first, second = plan(*options), plan(*options)
    assert first.returncode == 0, first.stderr
    assert first.stdout == second.stdout
    report = json.loads(first.stdout)
    assert report["meets_targets"]
    assert {kind["name"]: kind["jobs_per_day"] for kind in report["kinds"]} == {"video": 1800, "draft": 1200}
    assert all(kind["p95_s"] <= kind["target_s"] == 100 for kind in report["kinds"])
    prices = sum(row["price_per_hour"] for row in report["workers"])
    assert report["price_per_hour"] == pytest.approx(prices)
    assert "h200" in {row["device"] for row in report["workers"]}


def test_a_given_line_is_judged() -> None:
    options = ("plan", *STAGES, "--jobs-per-day", "10000", "--p95-s", "200")
    done = CliRunner().invoke(app, [*options, "--workers", "a.draw=4", "--workers", "a.paint=10"])
    assert done.exit_code == 0
    assert "this line is too slow" in done.stdout


def test_a_file_says_it_all(plan: Run, tmp_path: Path) -> None:
    (tmp_path / "line.toml").write_text(
        'jobs_per_day = 100\np95_s = 600\n[devices]\nl4 = { price = 0.7 }\n[[kinds]]\nname = "clip"\n'
        'stages = [{ queue = "a.draw", seconds = 40 }, { queue = "a.paint", seconds = 80 }]\n'
    )
    done = plan("--file", "line.toml", "--share", "--json")
    assert done.returncode == 0, done.stderr
    (pool,) = json.loads(done.stdout)["workers"]
    assert (pool["queues"], pool["workers"]) == (["a.draw", "a.paint"], 1)


def test_times_come_from_a_gateways_videos(
    plan: Run,
    gateway_url: str,
    client: httpx.Client,
    job_queue: JobQueue,
    finish: Callable[..., None],
    connected: Servers,
) -> None:
    away = plan("--p95-s", "60", CASCADE_URL=gateway_url)
    assert (away.returncode, "no video that is completed" in away.stderr) == (1, True)
    for seed in range(2):
        video = client.post("/v1/videos", json={"prompt": "a red circle", "seed": seed}).json()
        finish(video["id"])
    done = plan("--p95-s", "60", "--jobs-per-day", "1000", "--json", CASCADE_URL=gateway_url)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert [row["queues"][0] for row in report["workers"]] == [
        f"{video['model']}.{stage['name']}" for stage in video["stages"]
    ]
    assert report["kinds"][0]["name"].startswith(f"{video['model']} {video['size']} ")


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--stage", "draw=40", "--p95-s", "9", "--jobs-per-day", "1"), '"draw=40": String should match'),
        (("--stage", "a.draw=fast", "--p95-s", "9", "--jobs-per-day", "1"), "is not PRESET.STAGE=SECONDS"),
        ((*STAGES, "--jobs-per-day", "1"), "give --p95-s"),
        ((*STAGES, "--p95-s", "9"), "give --jobs-per-day"),
        ((*STAGES, "--p95-s", "9", "--jobs-per-day", "1", "--device", "l4"), "is not NAME=PRICE"),
        ((*STAGES, "--p95-s", "200", "--jobs-per-day", "1", "--bursts", "5x60/30"), "does not fit into"),
        ((*STAGES, "--p95-s", "9", "--jobs-per-day", "1"), "cannot be had by more workers"),
        ((*STAGES, "--p95-s", "200", "--jobs-per-day", "1", "--workers", "a.draw=4"), "leaves out a.paint"),
        (("--file", "none.toml"), "none.toml: No such file"),
    ],
)
def test_wrong_use_is_a_line(options: tuple[str, ...], complaint: str) -> None:
    done = CliRunner().invoke(app, ["plan", *options])
    assert done.exit_code in (1, 2)
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr
