"""The Python client, `cascade.Client`, against a running gateway."""

from __future__ import annotations

import inspect
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from cascade.service.api.schemas.requests import CreateVideo, RemixVideo
from cascade.service.api.schemas.videos import Variant, VideoStatus
from cascade.service.client import Client, ClientError, Refused, Unavailable
from cascade.service.connection import retry_after_s
from cascade.workers.job_queue import JobQueue

PROMPT = "a red circle"


@pytest.fixture
def api(gateway_url: str, client: httpx.Client) -> Iterator[Client]:
    with Client(gateway_url) as api:
        yield api


def test_a_video_is_submitted_watched_and_downloaded(
    api: Client, finish: Callable[..., None], later: Callable[..., None], tmp_path: Path
) -> None:
    video = api.submit(PROMPT, seed=7, steps={"keyframes": 3}, metadata={"who": "me"})
    assert (video.status, video.status.final) == (VideoStatus.QUEUED, False)
    assert (video.seed, video.stages[0].steps, video.metadata) == (7, 3, {"who": "me"})
    assert (video.stages[3].name, video.stages[3].title) == ("expert-translation", "Expert translation")
    later(0.5, finish, video.id)
    progress = [video.progress for video in api.watch(video.id)]
    assert progress[-1] == 100 and progress == sorted(progress)
    assert api.get(video.id).status.final
    clip = api.download(video.id, tmp_path / "video.mp4")
    assert clip.read_bytes() == b"mp4 expert-translation"
    sheet = api.download(video.id, tmp_path / "sheet.png", Variant.SPRITESHEET, "keyframes")
    assert sheet.read_bytes() == b"png keyframes"


def test_drafts_go_on_and_videos_are_remixed_listed_and_deleted(
    api: Client, finish: Callable[..., None]
) -> None:
    draft = api.submit(PROMPT, stop_after="keyframes")
    finish(draft.id, "keyframes")
    assert api.continue_draft(draft.id).stages[1].status == "queued"
    remix = api.remix(draft.id, prompt="a blue square", from_stage="interpolation")
    assert (remix.remixed_from_video_id, remix.stages[0].reused) == (draft.id, True)
    page = api.list(limit=1)
    assert ([video.id for video in page.data], page.has_more) == ([remix.id], True)
    assert [video.id for video in api.list(after=remix.id).data] == [draft.id]
    assert api.cancel(remix.id).status is VideoStatus.CANCELLED
    assert api.delete(remix.id).deleted


def test_the_same_idempotency_key_gives_the_same_video(api: Client) -> None:
    first = api.submit(PROMPT, idempotency_key="once")
    assert api.submit(PROMPT, idempotency_key="once").id == first.id
    with pytest.raises(Refused, match="another request"):
        api.submit("a blue square", idempotency_key="once")
    remix = api.remix(first.id, idempotency_key="again")
    assert api.remix(first.id, idempotency_key="again").id == remix.id
    for _ in range(2):
        assert api.cancel(remix.id, idempotency_key="stop").status is VideoStatus.CANCELLED
    with pytest.raises(Refused):
        api.cancel(remix.id, idempotency_key="")


def test_models_come_with_their_stages(api: Client) -> None:
    [model] = api.models().data
    assert (model.id, model.stages[0].title, model.stages[0].max_steps) == ("shapes", "Keyframes", 100)
    assert api.model("shapes") == model


def test_a_refusal_says_what_is_wrong(api: Client, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="choose one of 256x160") as refused:
        api.submit(PROMPT, size="1x1")
    assert (refused.value.status, refused.value.field) == (422, "size")
    with pytest.raises(Refused, match="there is no video"):
        next(api.watch("video_0"))
    with pytest.raises(Refused) as early:
        api.download(api.submit(PROMPT).id, tmp_path / "video.mp4")
    assert early.value.status == 409
    assert not list(tmp_path.iterdir())


def test_a_file_that_cannot_be_written_is_named(
    api: Client, finish: Callable[..., None], tmp_path: Path
) -> None:
    video = api.submit(PROMPT)
    finish(video.id)
    for wrong in (tmp_path / "nowhere" / "video.mp4", tmp_path):
        with pytest.raises(ClientError, match="cannot be written"):
            api.download(video.id, wrong)
    assert not list(tmp_path.iterdir())


def test_watching_what_has_ended_ends(api: Client, finish: Callable[..., None]) -> None:
    video = api.submit(PROMPT)
    finish(video.id)
    assert [seen.progress for seen in api.watch(video.id)] == [100]


def test_watching_waits_as_long_as_the_gateway_says(
    start_gateway: Callable[..., str],
    job_queue: JobQueue,
    finish: Callable[..., None],
    later: Callable[..., None],
) -> None:
    """There may be one open stream here: the watcher's is refused with 429, and it is told to come again in 5 s."""
    url = start_gateway(MAX_EVENT_STREAMS_PER_KEY="1")
    with Client(url) as client:
        video = client.submit(PROMPT)
        assert job_queue.waiting.take((f"{video.model}.{video.stages[0].name}",), "worker-1") is not None
        with httpx.stream("GET", f"{url}/v1/videos/{video.id}/events"):
            watching = client.watch(video.id)
            states = [next(watching).status]
            later(0, finish, video.id)
            started = time.monotonic()
            states += [seen.status for seen in watching]
    assert states == [VideoStatus.QUEUED, VideoStatus.COMPLETED]
    assert time.monotonic() - started >= 5


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("17", 17.0),
        ("0", 0.0),
        ("Tue, 01 Dec 2020 13:00:00 GMT", 0.0),
        ("soon", None),
        ("", None),
        ("-1", None),
    ],
)
def test_when_to_come_again_is_read_from_seconds_or_a_date(header: str, seconds: float | None) -> None:
    assert retry_after_s(header) == seconds


def test_while_a_video_waits_its_place_in_line_is_asked_for_again(
    api: Client, finish: Callable[..., None]
) -> None:
    before, video = api.submit(PROMPT), api.submit(PROMPT)
    watching = api.watch(video.id)
    place = next(watching).estimate
    finish(before.id)
    later = next(watching).estimate
    assert place is not None and later is not None
    assert (place.position, later.position) == (2, 1)


def test_the_list_is_filtered(api: Client, finish: Callable[..., None]) -> None:
    circle, square = api.submit(PROMPT), api.submit("a blue square")
    finish(circle.id)
    assert [video.id for video in api.list(q="RED").data] == [circle.id]
    assert [video.id for video in api.list(status=[VideoStatus.QUEUED, "failed"]).data] == [square.id]
    assert len(api.list(model="shapes").data) == 2


def test_a_gateway_that_is_away_is_unavailable() -> None:
    with Client("http://127.0.0.1:1") as away, pytest.raises(Unavailable, match="cannot be reached"):
        away.list()
    assert issubclass(Refused, ClientError) and issubclass(Unavailable, ClientError)


@pytest.mark.parametrize("url", ["http://[::1", "http://a\nb", "http://h:x"])
def test_a_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ClientError, match="URL cannot be used"):
        Client(url)


@pytest.mark.parametrize("key", ["hunter\n2", "hünter2", None])
def test_what_cannot_be_sent_shows_no_secret(key: str | None) -> None:
    with pytest.raises(ClientError) as fault, Client("http://me:hunter2@127.0.0.1:1", key) as client:
        client.models()
    assert "hunter" not in str(fault.value) and "hünter" not in str(fault.value)


def test_what_no_request_can_hold_is_said(api: Client) -> None:
    with pytest.raises(ClientError, match="cannot be sent"):
        api.submit("\udcff")
    with pytest.raises(ClientError, match="cannot be sent"):
        api.submit(PROMPT, guidance_scale={"keyframes": float("nan")})


def test_the_clients_parameters_are_the_fields_of_the_requests() -> None:
    submit = set(inspect.signature(Client.submit).parameters) - {"self", "idempotency_key"}
    remix = set(inspect.signature(Client.remix).parameters) - {"self", "video_id", "idempotency_key"}
    assert submit == set(CreateVideo.model_fields)
    assert remix == set(RemixVideo.model_fields)


def test_the_client_needs_no_other_floor() -> None:
    heavy = ("torch", "fastapi", "celery", "redis", "cascade.workers")
    script = f"import sys, cascade.service.client; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
