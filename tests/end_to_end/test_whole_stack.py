"""The whole stack as `cascade up` starts it: real Redis, S3, Celery workers and gateway, and what kills them."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import httpx
import numpy as np
import numpy.typing as npt
import pytest
from standardwebhooks import Webhook

from cascade.models.presets.table import get_preset
from tests.end_to_end.conftest import ANSWER_S, ENDLESS, FEW_STEPS, Up

MANY_STEPS = FEW_STEPS | {"super-resolution": 8}
ENDLESS_STEPS = FEW_STEPS | {"super-resolution": ENDLESS}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(500)]


Frames = npt.NDArray[np.uint8]


def frames_of(url: str) -> Frames:
    with av.open(io.BytesIO(httpx.get(url, timeout=ANSWER_S).content), "r") as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return np.stack(frames).astype(np.uint8)


@pytest.fixture(scope="module")
def undisturbed(up: Up) -> Frames:
    """The frames of seed 7 with many steps, from a job that nothing happened to."""
    return frames_of(up.finished(up.post(steps=MANY_STEPS))["url"])


def test_a_prompt_becomes_an_mp4_and_shows_its_stages_on_the_way(up: Up) -> None:
    video = up.finished(up.post(size="256x160"))
    assert frames_of(video["url"]).shape == (29, 160, 256, 3)
    shapes = [frames_of(stage["preview_url"]).shape for stage in video["stages"]]
    assert shapes == [(8, 20, 32, 3), (29, 20, 32, 3), (29, 80, 128, 3), (29, 160, 256, 3)]
    for stage in video["stages"]:
        assert stage["status"] == "completed"
        assert stage["step"] == stage["steps"] > 0
        assert stage["gpu_seconds"] > 0
        assert stage["peak_memory_bytes"] > 1e7
        assert stage["worker"].startswith(f"shapes.{stage['name']}@")
    assert video["stages"][2]["steps"] == 6  # two of the image model, and one step in each of four windows


def test_a_seed_gives_the_same_frames_again_and_another_seed_others(up: Up) -> None:
    first, again, other = (up.post(seed=seed) for seed in (7, 7, 8))
    frames = [frames_of(up.finished(video_id)["url"]) for video_id in (first, again, other)]
    assert np.array_equal(frames[0], frames[1])
    assert not np.array_equal(frames[0], frames[2])


def test_the_best_of_several_drafts_goes_on_as_a_video_of_its_seed_would(up: Up) -> None:
    video_id = up.post(best_of=3, stop_after="interpolation", size="256x160")
    video = up.finished(video_id)
    assert [draft["seed"] for draft in video["drafts"]] == [7, 8, 9]
    scores = [draft["score"] for draft in video["drafts"]]
    (chosen,) = (draft for draft in video["drafts"] if draft["chosen"])
    assert chosen["score"] == max(scores)
    alone = up.finished(up.post(seed=chosen["seed"], stop_after="interpolation", size="256x160"))
    for stage, same in zip(video["stages"][:2], alone["stages"][:2], strict=True):
        # Equal but for the order in which kernels sum up a larger batch, and what the encoder makes of that.
        first, second = (frames_of(url["preview_url"]).astype(int) for url in (stage, same))
        assert np.abs(first - second).mean() < 0.5
    other = next(draft for draft in video["drafts"] if not draft["chosen"])
    first, second = (frames_of(url).astype(int) for url in (chosen["preview_url"], other["preview_url"]))
    assert np.abs(first - second).mean() > 10


def test_the_housekeeper_reports_the_end_of_a_video(up: Up) -> None:
    received: list[tuple[dict[str, str], bytes]] = []

    class Target(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            received.append((dict(self.headers), body))
            self.send_response(204)
            self.end_headers()

    with ThreadingHTTPServer(("127.0.0.1", 0), Target) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/hook"
        video_id = up.post(stop_after="keyframes", webhook_url=url)
        up.wait_until(lambda: bool(received))
        server.shutdown()
    headers, body = received[0]
    secret = httpx.get(f"{up.url}/v1/webhooks/secret", timeout=ANSWER_S).json()["secret"]
    message = Webhook(secret).verify(body, headers)
    assert (message["type"], message["data"]["id"]) == ("video.completed", video_id)
    deliveries = f"{up.url}/v1/videos/{video_id}/deliveries"
    up.wait_until(lambda: any(one["taken"] for one in httpx.get(deliveries, timeout=ANSWER_S).json()["data"]))


def test_two_jobs_are_under_way_at_once(up: Up) -> None:
    first = up.post(seed=1, steps=ENDLESS_STEPS)
    up.running(first, "super-resolution")
    second = up.post(seed=2)
    up.wait_until(lambda: up.stage(second, "keyframes")["status"] == "completed")
    statuses = [stage["status"] for stage in up.get(first)["stages"]]
    assert statuses == ["completed", "completed", "in_progress", "pending"]
    up.cancel(first)
    up.finished(second)


def test_cancelling_stops_the_stage_within_a_step_and_frees_the_worker(up: Up) -> None:
    video_id = up.post(steps=ENDLESS_STEPS)
    up.running(video_id, "super-resolution")
    up.cancel(video_id)
    cancelled = up.get(video_id)
    assert cancelled["status"] == "cancelled"
    step = up.stage(video_id, "super-resolution")["step"]
    up.finished(up.post(seed=3))
    assert up.stage(video_id, "super-resolution")["step"] == step


def test_a_killed_worker_loses_no_job_and_changes_no_frame(up: Up, undisturbed: Frames) -> None:
    video_id = up.post(steps=MANY_STEPS)
    up.running(video_id, "super-resolution")
    os.kill(up.pid_of("cascade worker shapes.super-resolution"), signal.SIGKILL)
    video = up.finished(video_id)
    assert video["stages"][2]["attempts"] == 2
    assert np.array_equal(frames_of(video["url"]), undisturbed)


def test_a_worker_that_has_to_stop_hands_its_stage_back(up: Up, undisturbed: Frames) -> None:
    video_id = up.post(steps=MANY_STEPS)
    up.running(video_id, "super-resolution")
    os.kill(up.pid_of("cascade worker shapes.super-resolution"), signal.SIGTERM)
    video = up.finished(video_id)
    assert video["stages"][2]["attempts"] == 1  # the attempt that was handed back does not count
    assert np.array_equal(frames_of(video["url"]), undisturbed)


def test_redis_and_s3_may_die_without_losing_a_job(up: Up, undisturbed: Frames) -> None:
    video_id = up.post(steps=MANY_STEPS)
    up.running(video_id, "super-resolution")
    os.kill(up.pid_of("valkey-server"), signal.SIGKILL)
    os.kill(up.pid_of("rclone"), signal.SIGKILL)
    up.wait_until(lambda: up.answer("/readyz") == 200)
    assert np.array_equal(frames_of(up.finished(video_id)["url"]), undisturbed)


def test_a_second_up_finds_the_videos_of_the_first(up: Up) -> None:
    video = up.finished(up.post())
    frames = frames_of(video["url"])
    refused = subprocess.run(
        [sys.executable, "-m", "cascade", "up"],
        env=os.environ | {"CASCADE_DATA_DIR": str(up.data_dir)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == 1
    assert "CASCADE_DATA_DIR" in refused.stdout
    up.stop()
    up.start()
    assert np.array_equal(frames_of(up.get(video["id"])["url"]), frames)
    listed = httpx.get(f"{up.url}/v1/videos", timeout=ANSWER_S).json()["data"]
    assert listed[0]["id"] == video["id"]


def command_lines() -> Iterator[bytes]:
    """The command lines of all processes that live long enough to be read."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(FileNotFoundError, ProcessLookupError):
            yield path.read_bytes()


def test_secrets_are_on_no_command_line_and_in_no_log(up: Up) -> None:
    credentials = json.loads((up.data_dir / "embedded.json").read_text())
    secrets = [credentials["redis_password"], credentials["s3_secret_key"]]
    commands = list(command_lines())
    logs = [log.read_bytes() for log in (up.data_dir / "logs").glob("*.log")]
    assert len(logs) == 4 + len(get_preset("shapes").queues)
    for secret in secrets:
        assert not [text for text in (*commands, *logs) if secret.encode() in text]
