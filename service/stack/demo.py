"""The demo: one prompt through a whole stack, watched over HTTP, down to files one can look at."""

from __future__ import annotations

from pathlib import Path

from cascade.service.api.schemas.videos import Variant, VideoStatus
from cascade.service.cli.progress import show_progress
from cascade.service.client import Client


class DemoFailed(Exception):
    """The video was not completed."""


def make_video(url: str, prompt: str, seed: int, folder: Path) -> list[Path]:
    """Make a video, showing the progress of every stage, and download it with every stage's clip and contact sheet.

    Raises:
        DemoFailed: the job ended in another way.
        ClientError
    """
    with Client(url) as client:
        video = show_progress(client.watch(client.submit(prompt, seed=seed).id))
        if video.status is not VideoStatus.COMPLETED:
            reason = video.error.message if video.error else "it was not completed"
            raise DemoFailed(f"video {video.id} {video.status}: {reason}")
        folder.mkdir(parents=True, exist_ok=True)
        stages = {f"{number}-{stage.name}": stage.name for number, stage in enumerate(video.stages, 1)}
        return [
            client.download(video.id, folder / f"{name}.{variant.ending}", variant, stage)
            for variant in (Variant.VIDEO, Variant.SPRITESHEET)
            for name, stage in (*stages.items(), ("video", None))
        ]
