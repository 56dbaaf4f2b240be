"""The housekeeper process: what it does at its start, and that it stops when it is told to."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from cascade.workers.job_queue import JobQueue
from cascade.workers.keys import EARLIER_ACTIVE, JOBS_DUE, job_key
from cascade.workers.settings import Settings
from tests.workers.examples import REQUEST

RECORDS = json.loads((Path(__file__).parent / "jobs" / "records_version_1.json").read_text())


def test_it_adopts_old_jobs_deletes_expired_ones_and_stops(job_queue: JobQueue, settings: Settings) -> None:
    assert settings.s3_access_key is not None
    assert settings.s3_secret_key is not None
    redis = job_queue.jobs.redis
    redis.set(job_key("video_queued"), json.dumps(RECORDS["queued"]))
    redis.sadd(EARLIER_ACTIVE, "video_queued")
    expired = job_queue.submit(REQUEST).id
    job_queue.cancel(expired)
    redis.zadd(JOBS_DUE, {expired: 0})
    env = os.environ | {
        "CASCADE_REDIS_URL": settings.redis_url.get_secret_value(),
        "CASCADE_S3_ENDPOINT_URL": settings.s3_endpoint_url or "",
        "CASCADE_S3_ACCESS_KEY": settings.s3_access_key.get_secret_value(),
        "CASCADE_S3_SECRET_KEY": settings.s3_secret_key.get_secret_value(),
        "CASCADE_S3_BUCKET": settings.s3_bucket,
    }
    command = [sys.executable, "-m", "cascade.workers.housekeeper"]
    with subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True) as housekeeper:
        deadline = time.monotonic() + 30
        while job_queue.jobs.version("video_queued") == 1 or job_queue.jobs.get(expired) is not None:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        housekeeper.send_signal(signal.SIGTERM)
        _, log = housekeeper.communicate(timeout=20)
    assert housekeeper.returncode == 0
    assert "[video_queued]: stage keyframes is adopted into shapes.keyframes" in log
    lease = job_queue.waiting.take(("shapes.keyframes",), "worker")
    assert lease is not None
    assert lease.job_id == "video_queued"
