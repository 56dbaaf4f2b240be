"""A file that people look at, as bytes. Free of torch: the floors above name its kinds too."""

from __future__ import annotations

from dataclasses import dataclass

MP4, WEBP, PNG = "video/mp4", "image/webp", "image/png"
VIDEO_ENDINGS = (".mp4", ".webm", ".gif", ".webp")
"""Of files that clips are saved in: H.264, VP9, and two kinds of animated pictures."""


@dataclass(frozen=True)
class File:
    """A rendition of a clip.

    Attributes:
        content: its bytes.
        ending: of its name, such as `.mp4` or `-thumbnail.webp`.
        media_type: such as `video/mp4`.
    """

    content: bytes
    ending: str
    media_type: str
