"""What people look at: files made of a clip, or of latents by their preview."""

from __future__ import annotations

import io
from collections.abc import Mapping

import av
import torch
from PIL import Image

from cascade.models.clip import Clip, Latents
from cascade.models.media.file import File
from cascade.models.media.latent_preview import linear_preview
from cascade.models.media.renditions import as_clip, renditions

ENDINGS = {"mp4": ".mp4", "webp": ".webp", "png": ".png", "thumbnail": "-thumbnail.webp"}
TYPES = {"mp4": "video/mp4", "webp": "image/webp", "png": "image/png", "thumbnail": "image/webp"}


def video_of(files: Mapping[str, File]) -> tuple[int, int, int]:
    """Frames, width and height of the MP4."""
    with av.open(io.BytesIO(files["mp4"].content), "r") as container:
        stream = container.streams.video[0]
        return sum(1 for _ in container.decode(video=0)), stream.width, stream.height


def image_of(file: File) -> Image.Image:
    return Image.open(io.BytesIO(file.content))


def test_a_clip_is_shown_as_four_kinds_of_files() -> None:
    fading = torch.tensor([1.0, 0.0, -1.0]).view(1, 3, 1, 1, 1).expand(1, 3, 3, 16, 32)
    files = renditions(Clip(torch.cat([fading, torch.full_like(fading, -1.0)]), 8))
    assert {kind: file.ending for kind, file in files.items()} == ENDINGS
    assert {kind: file.media_type for kind, file in files.items()} == TYPES
    assert video_of(files) == (3, 32, 16)
    assert image_of(files["webp"]).n_frames == 3  # type: ignore[attr-defined]
    assert image_of(files["png"]).format == "PNG"
    thumbnail = image_of(files["thumbnail"]).convert("L")
    assert thumbnail.size == (32, 16)
    assert thumbnail.getpixel((16, 8)) == 255  # the first frame of the first video


def test_latents_are_shown_by_their_linear_preview() -> None:
    latents = Latents(torch.randn(1, 3, 4, 2, 4), 8, "some/autoencoder")
    assert renditions(latents) == renditions(linear_preview(latents))
    assert video_of(renditions(latents)) == (3, 32, 16)


def test_a_stage_may_decode_its_latents_itself() -> None:
    latents = Latents(torch.randn(1, 2, 4, 2, 4), 8, "some/autoencoder")
    decoded = Clip(torch.zeros(1, 2, 3, 64, 48), 8)

    def decode(output: Latents) -> Clip:
        assert output is latents
        return decoded

    assert as_clip(latents, decode) is decoded
    assert video_of(renditions(latents, decode)) == (2, 48, 64)


def test_a_clip_needs_no_preview() -> None:
    clip = Clip(torch.zeros(1, 2, 3, 16, 16), 8)
    assert as_clip(clip) is clip
