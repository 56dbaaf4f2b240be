"""Motions by name: on offer, in a request, and removed."""

from __future__ import annotations

import httpx
import pytest

from cascade.workers.errors import ArtifactLost
from cascade.workers.job_queue import JobQueue
from cascade.workers.jobs.record import Job, Motion
from cascade.workers.servers import Servers
from cascade.workers.storage.motions import Motions

REQUEST = {"prompt": "a red circle", "motion": "zigzag"}


@pytest.fixture
def motions(connected: Servers) -> Motions:
    return Motions.of(connected)


def submitted(client: httpx.Client, job_queue: JobQueue) -> tuple[Job, Motion]:
    video = client.post("/v1/videos", json=REQUEST).json()
    assert video["motion"] == "zigzag"
    job = job_queue.jobs.get(video["id"])
    assert job is not None and job.request.motion is not None
    return job, job.request.motion


def test_a_motion_that_the_preset_does_not_have_is_refused(client: httpx.Client) -> None:
    refused = client.post("/v1/videos", json=REQUEST)
    assert (refused.status_code, refused.json()["error"]["param"]) == (422, "motion")
    assert "it has none" in refused.json()["detail"]


def test_a_job_keeps_the_motion_that_its_request_named(
    client: httpx.Client, job_queue: JobQueue, motions: Motions
) -> None:
    first = motions.add("shapes", "zigzag", b"adapter")
    assert client.get("/v1/models").json()["data"][0]["motions"] == ["zigzag"]
    _, motion = submitted(client, job_queue)
    assert motions.content(motion) == b"adapter"

    motions.add("shapes", "zigzag", b"another")
    _, later = submitted(client, job_queue)
    assert (motions.content(first), motions.content(later)) == (b"adapter", b"another")
    assert later.sha256 != motion.sha256


def test_a_motion_that_is_removed_can_no_longer_be_named(
    client: httpx.Client, job_queue: JobQueue, motions: Motions
) -> None:
    motions.add("shapes", "zigzag", b"adapter")
    _, motion = submitted(client, job_queue)
    assert motions.remove("shapes", "zigzag")
    assert not motions.remove("shapes", "zigzag")
    assert client.post("/v1/videos", json=REQUEST).status_code == 422
    with pytest.raises(ArtifactLost):
        motions.content(motion)


@pytest.mark.parametrize("name", ["", "../x", "Zig Zag", "a" * 65, "-x"])
def test_names_are_plain(name: str, motions: Motions) -> None:
    with pytest.raises(ValueError):
        motions.add("shapes", name, b"adapter")
