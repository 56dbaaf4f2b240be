"""A storm over a whole stack: everything is killed and frozen while clients submit videos, and none may be lost.

    python benchmarks/storm.py [--jobs 300] [--minutes 20] [--seed 1] [--output storm.json]

Starts `cascade up` with untrained networks and few steps, makes one undisturbed video for each seed, then lets clients
submit with idempotency keys, retry, cancel, delete and continue while processes are killed, suspended for up to 30 s and
held down. When the storm is over it waits until every video has ended, and reports what was lost, failed, duplicated or
unequal, what lies in Redis and the object store without a video, and how long anything stood still. The exit code is 1
if a video was lost, failed, duplicated, unequal or orphaned.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from storm_clients import Clients, DraftContinuer, Submission
from storm_faults import Faults
from storm_report import frames_digest, judge, leftovers, standstill, unfinished
from storm_stack import StormStack, wait_until

from cascade.models.families.shapes.random_checkpoints import create_random_shapes

console = Console()
SEEDS = 4
PLANS = ("watch", "cancel", "delete", "continue")
WEIGHTS = (76, 8, 8, 8)
FAULTS = (
    *("never_accepted", "lost", "standing_still", "failed", "duplicated", "unequal", "unreadable"),
    *("deleted_but_there", "cancelled_by_nobody"),
)
SETTINGS = {
    "CASCADE_MAX_ACTIVE_JOBS": "100000",
    "CASCADE_MAX_ACTIVE_JOBS_PER_PROJECT": "100000",
    "CASCADE_INLINE_ARTIFACT_MAX_BYTES": "100000",  # some tensors in Redis, some in the object store
}


def main() -> int:
    """Run the storm, print what it did, and write it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=300)
    parser.add_argument("--minutes", type=float, default=20, help="how long the faults go on")
    parser.add_argument(
        "--settle-minutes", type=float, default=20, help="how long videos may take afterwards"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument(
        "--lease-s", type=float, default=None, help="CASCADE_LEASE_S; the default unless given"
    )
    parser.add_argument("--folder", type=Path, default=None, help="stays afterwards; must not exist")
    parser.add_argument("--output", type=Path, default=Path("storm.json"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.folder or Path(scratch) / "storm"
        folder.mkdir(parents=True)
        result = run(folder, options)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(result, indent=2) + "\n")
    console.print_json(json.dumps(result))
    return int(any(result["videos"].get(fault) for fault in FAULTS) or bool(result["orphans"]))


def run(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Run the storm in an empty folder; return the result."""
    settings = SETTINGS if options.lease_s is None else SETTINGS | {"CASCADE_LEASE_S": str(options.lease_s)}
    create_random_shapes(folder / "checkpoints")
    stack = StormStack(folder / "data", folder / "checkpoints", settings)
    stack.start()
    with httpx.Client(base_url=stack.url, timeout=60) as http:
        try:
            return weather(stack, http, options)
        finally:
            console.log(f"stopped within {stack.stop():.1f} s")


def weather(stack: StormStack, http: httpx.Client, options: argparse.Namespace) -> dict[str, Any]:
    """Let the storm go over a stack that runs."""
    draw = random.Random(options.seed)
    calm = [Submission(-number - 1, seed, "watch") for number, seed in enumerate(range(SEEDS))]
    frames = undisturbed(stack, http, calm)
    console.log(f"{len(frames)} undisturbed videos are made; the storm begins")
    submissions = [
        Submission(number, draw.randrange(SEEDS), draw.choices(PLANS, WEIGHTS)[0])
        for number in range(options.jobs)
    ]
    began = time.monotonic()
    clients = Clients(stack, submissions, 60 * options.minutes, options.clients)
    continuer = DraftContinuer(stack, submissions)
    faults = Faults(stack, options.seed)
    for part in (clients, continuer, faults):
        part.start()
    while time.monotonic() - began < 60 * options.minutes:
        time.sleep(5)
    faults.stop()
    console.log(f"the storm is over: {sum(faults.counts.values())} faults; waiting for the videos")
    storm_s = time.monotonic() - began
    clients.join()
    settled_s = settle(stack, http, submissions, continuer, options.settle_minutes)
    continuer.stop()
    outcome = judge(http, submissions, frames)
    ids = [video_id for submission in submissions for video_id in submission.ids]
    still = standstill(stack.redis(), ids)
    after, deleted = leftovers(stack), delete_all(stack, http, [*calm, *submissions])
    return {
        "options": {"jobs": options.jobs, "minutes": options.minutes, "seed": options.seed},
        "lease_s": options.lease_s,
        "machine": {"cores": os.cpu_count(), "python": platform.python_version()},
        "faults": sum(faults.counts.values()),
        "faults_by_kind": dict(sorted(faults.counts.items())),
        "posts": sum(submission.tries for submission in submissions),
        "storm_s": round(storm_s, 1),
        "settled_s": round(settled_s, 1),
        "videos": {state: len(found) for state, found in sorted(outcome.items())},
        "found": {state: outcome[state] for state in FAULTS if state in outcome},
        "orphans": after["objects_without_job"],
        "standstill": asdict(still),
        "left_after_the_storm": after,
        "left_after_deleting_all": deleted,
    }


def undisturbed(stack: StormStack, http: httpx.Client, calm: list[Submission]) -> dict[int, str]:
    """Make a video of every seed; return the digests of their frames."""
    Clients(stack, calm, 0, 1)._run(0)
    wait_until(lambda: unfinished(http, calm) == 0, 600, "the undisturbed videos do not end")
    return {submission.seed: frames_digest(http, *submission.ids) for submission in calm}


def settle(
    stack: StormStack,
    http: httpx.Client,
    submissions: list[Submission],
    continuer: DraftContinuer,
    minutes: float,
) -> float:
    """Wait until every video has ended; return how many seconds that took, or those of the limit."""
    began = time.monotonic()

    def over() -> bool:
        with suppress(httpx.TransportError):
            return stack.is_ready() and unfinished(http, submissions) == 0 and continuer.done
        return False

    with suppress(TimeoutError):
        wait_until(over, 60 * minutes, "videos stand still")
    return time.monotonic() - began


def delete_all(stack: StormStack, http: httpx.Client, submissions: list[Submission]) -> dict[str, object]:
    """Delete every video, wait until the housekeeper has deleted what they had stored, and count what is left."""
    for submission in submissions:
        for video_id in submission.ids:
            http.delete(f"/v1/videos/{video_id}")
    with suppress(TimeoutError):
        wait_until(lambda: leftovers(stack)["objects"] == 0, 60, "objects are left")
    return leftovers(stack)


if __name__ == "__main__":
    sys.exit(main())
