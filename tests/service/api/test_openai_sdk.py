"""The unmodified OpenAI SDK drives the service."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import openai
import pytest

from cascade.workers.servers import Servers

pytestmark = pytest.mark.filterwarnings("ignore:The Sora API")

PROMPT = "a red circle moving right on a gray background"
Finish = Callable[..., None]


@pytest.fixture
def sdk(gateway_url: str, connected: Servers) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{gateway_url}/v1", api_key="unused", max_retries=0) as client:
        yield client


def test_a_video_is_created_polled_and_downloaded(
    sdk: openai.OpenAI, finish: Finish, later: Callable[..., None]
) -> None:
    video = sdk.videos.create(
        prompt=PROMPT,
        model="shapes",
        size="256x160",  # type: ignore[arg-type]  # the SDK names its own models' sizes and lengths
        seconds="3.625",  # type: ignore[arg-type]
        extra_body={"seed": 7},
    )
    assert (video.object, video.status, video.model, video.size) == ("video", "queued", "shapes", "256x160")
    assert video.to_dict()["seed"] == 7
    later(0.3, finish, video.id)
    done = sdk.videos.poll(video.id)
    assert (done.status, done.progress) == ("completed", 100)
    assert sdk.videos.download_content(video.id).read() == b"mp4 expert-translation"
    assert (
        sdk.videos.download_content(video.id, variant="thumbnail").read() == b"thumbnail expert-translation"
    )
    assert sdk.videos.download_content(video.id, variant="spritesheet").read() == b"png expert-translation"


def test_create_and_poll_waits_for_the_end(
    sdk: openai.OpenAI, finish: Finish, later: Callable[..., None]
) -> None:
    def finish_the_newest() -> None:
        deadline = time.monotonic() + 60
        while not (newest := sdk.videos.list(limit=1).data):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        finish(newest[0].id)

    later(0.5, finish_the_newest)
    assert sdk.videos.create_and_poll(prompt=PROMPT).status == "completed"


def test_videos_are_listed_over_pages_remixed_and_deleted(sdk: openai.OpenAI, finish: Finish) -> None:
    ids = [sdk.videos.create(prompt=PROMPT).id for _ in range(5)]
    assert [video.id for video in sdk.videos.list(limit=2, order="asc")] == ids
    finish(ids[0])
    remix = sdk.videos.remix(ids[0], prompt="a blue square")
    assert (remix.remixed_from_video_id, remix.prompt) == (ids[0], "a blue square")
    assert sdk.videos.delete(ids[0]).deleted
    with pytest.raises(openai.NotFoundError):
        sdk.videos.retrieve(ids[0])


def test_refusals_are_the_sdks_exceptions(sdk: openai.OpenAI) -> None:
    with pytest.raises(openai.UnprocessableEntityError) as refused:
        sdk.videos.create(prompt=PROMPT, model="sora-2")
    body = refused.value.body
    assert isinstance(body, dict)
    assert body["param"] == "model"
    assert "choose one of shapes" in body["message"]
    video = sdk.videos.create(prompt=PROMPT)
    with pytest.raises(openai.ConflictError):
        sdk.videos.download_content(video.id)
