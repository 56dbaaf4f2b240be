"""What the command line says to a running gateway, over HTTP."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
from httpx_sse import connect_sse
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

FINAL = ("completed", "failed", "cancelled")
RECONNECT_S = 1.0
PATIENCE_S = 60.0
CHUNK_BYTES = 1 << 16


class Refused(Exception):
    """The gateway refused, in its own words, or cannot be reached."""


class Client:
    """One gateway, with one API key (or none)."""

    def __init__(self, url: str, api_key: str | None = None) -> None:
        headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
        self.url = url
        self.http = httpx.Client(base_url=url, headers=headers, timeout=30)

    def submit(self, **fields: Any) -> dict[str, Any]:
        """POST a video; fields that are None are left out."""
        return self._json("POST", "/v1/videos", json={k: v for k, v in fields.items() if v is not None})

    def get(self, video_id: str) -> dict[str, Any]:
        return self._json("GET", f"/v1/videos/{video_id}")

    def list(self, limit: int) -> list[dict[str, Any]]:
        """Newest first."""
        data: list[dict[str, Any]] = self._json("GET", "/v1/videos", params={"limit": limit})["data"]
        return data

    def cancel(self, video_id: str) -> dict[str, Any]:
        return self._json("POST", f"/v1/videos/{video_id}/cancel")

    def watch(self, video_id: str) -> Iterator[dict[str, Any]]:
        """The video now and after every event, until it has ended; reconnects where a connection is cut.

        Raises:
            Refused: there is no such video, or the gateway stays away for a minute.
        """
        last_id, away_since = "0-0", None
        while True:
            try:
                video = self.get(video_id)
                away_since = None
                yield video
                if video["status"] in FINAL:
                    return
                for event_id in self._event_ids(video_id, last_id):
                    last_id, video = event_id, self.get(video_id)
                    yield video
                if video["status"] in FINAL:
                    return
            except (httpx.TransportError, httpx.HTTPStatusError) as error:
                away_since = away_since or time.monotonic()
                if time.monotonic() - away_since > PATIENCE_S:
                    raise Refused(f"{self.url} cannot be reached: {error}") from error
            time.sleep(RECONNECT_S)

    def _event_ids(self, video_id: str, last_id: str) -> Iterator[str]:
        path, headers = f"/v1/videos/{video_id}/events", {"last-event-id": last_id}
        with connect_sse(self.http, "GET", path, headers=headers, timeout=60) as source:
            source.response.raise_for_status()
            for event in source.iter_sse():
                if event.id:
                    yield event.id

    def download(self, video: dict[str, Any], output: Path, variant: str, stage: str | None) -> Path:
        """Write one file of a video to `output`. Raises Refused."""
        params = {"variant": variant} | ({"stage": stage} if stage else {})
        path = f"/v1/videos/{video['id']}/content"
        with self.http.stream("GET", path, params=params, follow_redirects=True) as answer:
            if answer.is_error:
                answer.read()
                raise Refused(_reason(answer))
            with output.open("wb") as file:
                for chunk in answer.iter_bytes(CHUNK_BYTES):
                    file.write(chunk)
        return output

    def _json(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        answer = self.http.request(method, path, **options)
        if answer.is_client_error:
            raise Refused(_reason(answer))
        answer.raise_for_status()
        content: dict[str, Any] = answer.json()
        return content


def show_progress(videos: Iterator[dict[str, Any]]) -> dict[str, Any]:
    """Show a bar per stage while a video goes along; the video as it was last."""
    video: dict[str, Any] = {}
    with progress_bars() as bars:
        tasks: dict[str, Any] = {}
        for video in videos:
            for stage in video["stages"]:
                kind = stage["kind"]
                if kind not in tasks:
                    tasks[kind] = bars.add_task(kind, total=100, start=False)
                if stage["status"] != "pending":
                    bars.start_task(tasks[kind])
                bars.update(tasks[kind], completed=stage["progress"])
                if stage["status"] == "completed":
                    bars.stop_task(tasks[kind])
    return video


def progress_bars() -> Progress:
    """One bar per stage, with its time."""
    columns = (TextColumn("{task.description:>20}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    return Progress(*columns)


def _reason(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return f"{answer.status_code} {answer.reason_phrase}"
