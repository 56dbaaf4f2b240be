"""A typed Python client of a gateway: `cascade.Client`. It needs neither torch nor the other floors.

with cascade.Client("http://127.0.0.1:8000") as client:
    video = client.submit("a calm sea at sunset", seed=7)
    for video in client.watch(video.id):
        print(video.progress)
    client.download(video.id, "sea.mp4")
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from cascade.service.api.schemas.presets import ModelList, ModelView
from cascade.service.api.schemas.videos import Variant, Video, VideoDeleted, VideoList, VideoStatus
from cascade.service.connection import ClientError, Connection, Refused, Unavailable

__all__ = ["DEFAULT_URL", "Client", "ClientError", "Refused", "Unavailable"]

DEFAULT_URL = "http://127.0.0.1:8000"
POLL_S = 1.0
MAX_ABSENCE_S = 60.0
MAX_PAUSE_S = 60.0
TOO_MANY_REQUESTS = 429


class Client:
    """One gateway, with one API key (or none). Close it, or use it as a context manager.

    Every method that asks the gateway raises `Refused` or `Unavailable`, both `ClientError`s.
    """

    def __init__(self, url: str = DEFAULT_URL, api_key: str | None = None, timeout_s: float = 30) -> None:
        self._connection = Connection(url, api_key, timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections to the gateway."""
        self._connection.close()

    def submit(
        self,
        prompt: str,
        *,
        model: str | None = None,
        seconds: str | None = None,
        size: str | None = None,
        seed: int | None = None,
        negative_prompt: str | None = None,
        steps: Mapping[str, int] | None = None,
        guidance_scale: Mapping[str, float] | None = None,
        stop_after: str | None = None,
        best_of: int | None = None,
        motion: str | None = None,
        webhook_url: str | None = None,
        retention_s: int | None = None,
        metadata: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
    ) -> Video:
        """Queue a video. The fields are those of `CreateVideo`; what is None is left to the gateway.

        Args:
            idempotency_key: the same key and request give the same video for 24 hours.
        """
        body = {
            "prompt": prompt,
            "model": model,
            "seconds": seconds,
            "size": size,
            "seed": seed,
            "negative_prompt": negative_prompt,
            "steps": steps,
            "guidance_scale": guidance_scale,
            "stop_after": stop_after,
            "best_of": best_of,
            "motion": motion,
            "webhook_url": webhook_url,
            "retention_s": retention_s,
            "metadata": metadata,
        }
        return self._connection.request(Video, "POST", "/v1/videos", body, headers=_once(idempotency_key))

    def get(self, video_id: str) -> Video:
        """Fetch a video as it is now."""
        return self._connection.request(Video, "GET", f"/v1/videos/{video_id}")

    def list(
        self,
        limit: int = 20,
        after: str | None = None,
        order: Literal["asc", "desc"] = "desc",
        *,
        q: str | None = None,
        status: Iterable[VideoStatus | str] = (),
        model: str | None = None,
    ) -> VideoList:
        """Fetch a page of videos, newest first; the page behind the video `after`.

        Args:
            q: a part of the prompt, in any case.
            status: any of these; all unless given.
            model: name of a preset.
        """
        params = {
            "limit": limit,
            "after": after,
            "order": order,
            "q": q,
            "status": ",".join(status) or None,
            "model": model,
        }
        return self._connection.request(VideoList, "GET", "/v1/videos", params=params)

    def cancel(self, video_id: str, idempotency_key: str | None = None) -> Video:
        """Stop a video within one denoising step."""
        path = f"/v1/videos/{video_id}/cancel"
        return self._connection.request(Video, "POST", path, headers=_once(idempotency_key))

    def delete(self, video_id: str) -> VideoDeleted:
        """Delete a video and all its files."""
        return self._connection.request(VideoDeleted, "DELETE", f"/v1/videos/{video_id}")

    def continue_draft(
        self, video_id: str, draft: int | None = None, idempotency_key: str | None = None
    ) -> Video:
        """Let a completed draft go on; of several, `draft` or the best one."""
        path = f"/v1/videos/{video_id}/continue"
        return self._connection.request(Video, "POST", path, {"draft": draft}, headers=_once(idempotency_key))

    def remix(
        self,
        video_id: str,
        *,
        prompt: str | None = None,
        from_stage: str | None = None,
        draft: int | None = None,
        size: str | None = None,
        seed: int | None = None,
        negative_prompt: str | None = None,
        steps: Mapping[str, int] | None = None,
        guidance_scale: Mapping[str, float] | None = None,
        stop_after: str | None = None,
        idempotency_key: str | None = None,
    ) -> Video:
        """Queue a video from another one. The fields are those of `RemixVideo`; None takes the source's."""
        body = {
            "prompt": prompt,
            "from_stage": from_stage,
            "draft": draft,
            "size": size,
            "seed": seed,
            "negative_prompt": negative_prompt,
            "steps": steps,
            "guidance_scale": guidance_scale,
            "stop_after": stop_after,
        }
        path = f"/v1/videos/{video_id}/remix"
        return self._connection.request(Video, "POST", path, body, headers=_once(idempotency_key))

    def models(self) -> ModelList:
        """Fetch the presets that the gateway offers, with their stages."""
        return self._connection.request(ModelList, "GET", "/v1/models")

    def model(self, name: str) -> ModelView:
        """Fetch a preset by its name."""
        return self._connection.request(ModelView, "GET", f"/v1/models/{name}")

    def watch(self, video_id: str) -> Iterator[Video]:
        """Yield the video now and after every event, until it has ended; every second while it waits in line.

        Connects again where a connection is cut, and waits as long as the gateway says where requests are too many.

        Raises:
            Refused: there is no such video.
            Unavailable: the gateway stays away for a minute.
        """
        last_id, absent_since = "0-0", None
        while True:
            pause_s = POLL_S
            try:
                video = self.get(video_id)
                absent_since = None
                yield video
                if not video.status.final and not _waits(video):
                    for event_id in self._connection.event_ids(f"/v1/videos/{video_id}/events", last_id):
                        last_id, video = event_id, self.get(video_id)
                        yield video
                        if _waits(video):
                            break
                if video.status.final:
                    return
            except Unavailable as error:
                absent_since = absent_since or time.monotonic()
                if time.monotonic() - absent_since > MAX_ABSENCE_S:
                    raise
                pause_s = _pause_s(error)
            except Refused as error:
                if error.status != TOO_MANY_REQUESTS:
                    raise
                pause_s = _pause_s(error)
            time.sleep(pause_s)

    def download(
        self,
        video_id: str,
        path: str | Path,
        variant: Variant | str = Variant.VIDEO,
        stage: str | None = None,
    ) -> Path:
        """Write one file of a video, or of one of its stages, to `path`."""
        target = Path(path)
        params = {"variant": variant, "stage": stage}
        self._connection.download(f"/v1/videos/{video_id}/content", params, target)
        return target


def _waits(video: Video) -> bool:
    """Return whether others go first: of them this video's events say nothing."""
    return video.estimate is not None and video.estimate.position is not None


def _pause_s(error: ClientError) -> float:
    """Return how long to wait before the next try: as the gateway says, but no longer than any of its limits lasts."""
    return min(max(error.retry_after_s or 0.0, POLL_S), MAX_PAUSE_S)


def _once(idempotency_key: str | None) -> dict[str, str]:
    return {} if idempotency_key is None else {"idempotency-key": idempotency_key}
