"""The demo: one prompt through a whole stack, watched over HTTP, down to files one can look at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cascade.service.api.schemas.videos import Variant, VideoStatus
from cascade.service.cli.progress import show_progress
from cascade.service.cli.video_lines import print_warnings
from cascade.service.client import Client


class DemoFailed(Exception):
    """The video was not completed."""


@dataclass(frozen=True)
class DemoFiles:
    """What the demo leaves.

    Attributes:
        video, moving_picture, sheet: of the finished video, as MP4, as WebP and as PNG.
        stages: the clip and the contact sheet of each stage, in order.
    """

    video: Path
    moving_picture: Path
    sheet: Path
    stages: tuple[Path, ...]


def make_video(url: str, prompt: str, seed: int, folder: Path) -> DemoFiles:
    """Make a video, showing the progress of every stage, and download it with every stage's clip and contact sheet.

    Raises:
        DemoFailed: the job ended in another way.
        ClientError
    """
    with Client(url) as client:
        submitted = client.submit(prompt, seed=seed)
        print_warnings(submitted.warnings)
        video = show_progress(client.watch(submitted.id))
        if video.status is not VideoStatus.COMPLETED:
            reason = video.error.message if video.error else "it was not completed"
            raise DemoFailed(f"video {video.id} {video.status}: {reason}")
        folder.mkdir(parents=True, exist_ok=True)

        def download(name: str, variant: Variant, stage: str | None = None) -> Path:
            return client.download(video.id, folder / f"{name}.{variant.ending}", variant, stage)

        return DemoFiles(
            download("video", Variant.VIDEO),
            download("video", Variant.WEBP),
            download("video", Variant.SPRITESHEET),
            tuple(
                download(f"{number}-{stage.name}", variant, stage.name)
                for number, stage in enumerate(video.stages, 1)
                for variant in (Variant.VIDEO, Variant.SPRITESHEET)
            ),
        )
