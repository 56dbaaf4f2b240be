"""Best of N through the gateway: drafts with scores, the choice among them, and what goes on from it."""

from __future__ import annotations

import time
from collections.abc import Callable

import httpx
import pytest

from cascade.models.presets.spec import MAX_SEED
from cascade.workers.job_queue import JobQueue
from cascade.workers.jobs import transitions
from cascade.workers.jobs.record import Draft, Job, JobRequest, StageOutput

FIRST = "keyframes"


def create(client: httpx.Client, **fields: object) -> httpx.Response:
    return client.post("/v1/videos", json={"prompt": "a red circle", "seed": 7, **fields})


def job_of(job_queue: JobQueue, video_id: str) -> Job:
    job = job_queue.jobs.get(video_id)
    assert job is not None
    return job


@pytest.fixture
def with_drafts(client: httpx.Client, job_queue: JobQueue) -> Callable[..., str]:
    """A video whose first stage made three drafts, the second of them the best."""

    def make(**fields: object) -> str:
        video_id: str = create(client, best_of=3, **fields).json()["id"]
        prefix = f"jobs/{video_id}/{FIRST}/x"
        drafts = tuple(
            Draft(
                7 + index,
                score,
                job_queue.artifacts.put_tensors(video_id, f"{prefix}-{index}", f"tensors {index}".encode()),
                {
                    "mp4": job_queue.artifacts.put_file(
                        f"{prefix}-{index}.mp4", f"mp4 {index}".encode(), "video/mp4"
                    )
                },
            )
            for index, score in enumerate((0.2, 0.9, 0.5))
        )
        assert drafts[1].artifact is not None
        output = StageOutput(drafts[1].artifact, drafts[1].files, 1.0, 1, drafts, 1)
        now = time.time()
        job_queue.jobs.update(video_id, lambda job: transitions.start_stage(job, FIRST, "w", now))
        job_queue.jobs.update(video_id, lambda job: transitions.complete_stage(job, FIRST, output, now))
        return video_id

    return make


def test_drafts_are_shown_with_their_scores_and_the_best_goes_on(
    client: httpx.Client, job_queue: JobQueue, with_drafts: Callable[..., str]
) -> None:
    video_id = with_drafts()
    video = client.get(f"/v1/videos/{video_id}").json()
    assert [(d["index"], d["seed"], d["score"], d["chosen"]) for d in video["drafts"]] == [
        (0, 7, 0.2, False),
        (1, 8, 0.9, True),
        (2, 9, 0.5, False),
    ]
    assert [httpx.get(d["preview_url"]).content for d in video["drafts"]] == [b"mp4 0", b"mp4 1", b"mp4 2"]
    assert httpx.get(video["stages"][0]["preview_url"]).content == b"mp4 1"
    assert video["stages"][1]["status"] == "queued"
    assert (video["seed"], job_of(job_queue, video_id).seed) == (7, 8)


def test_another_draft_can_be_chosen_to_go_on(
    client: httpx.Client, job_queue: JobQueue, with_drafts: Callable[..., str]
) -> None:
    video_id = with_drafts(stop_after="keyframes")
    path = f"/v1/videos/{video_id}/continue"
    refused = client.post(path, json={"draft": 3})
    assert (refused.status_code, refused.json()["error"]["param"]) == (422, "draft")
    assert job_queue.jobs.open_jobs() == []
    video = client.post(path, json={"draft": 2}).json()
    assert [d["chosen"] for d in video["drafts"]] == [False, False, True]
    assert job_of(job_queue, video_id).seed == 9
    artifact = job_of(job_queue, video_id).stages[0].artifact
    assert artifact is not None
    assert job_queue.artifacts.get(artifact) == b"tensors 2"


def test_a_remix_takes_over_the_draft_it_names(
    client: httpx.Client, job_queue: JobQueue, with_drafts: Callable[..., str]
) -> None:
    source = with_drafts()
    path = f"/v1/videos/{source}/remix"
    remix = client.post(path, json={"from_stage": "interpolation", "draft": 0}).json()
    assert (remix["seed"], remix["best_of"], remix["drafts"]) == (7, 1, [])
    assert httpx.get(remix["stages"][0]["preview_url"]).content == b"mp4 0"
    best = client.post(path, json={"from_stage": "interpolation"}).json()
    assert best["seed"] == 8
    assert client.post(path, json={"draft": 0}).status_code == 422
    assert client.post(path, json={"from_stage": "interpolation", "draft": 9}).status_code == 422


def test_seeds_of_drafts_wrap_at_the_largest() -> None:
    assert JobRequest("shapes", "x", MAX_SEED, best_of=3).seeds == (MAX_SEED, 0, 1)


@pytest.mark.parametrize("best_of", [0, 5, 17, "2", True, 1.5])
def test_a_number_of_drafts_that_cannot_be_is_refused(
    best_of: object, client: httpx.Client, job_queue: JobQueue
) -> None:
    answer = create(client, best_of=best_of)
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, "best_of")
    assert job_queue.jobs.page(10)[0] == []
