"""Renditions of a stage's output for people: a video, an animated picture, a contact sheet and a thumbnail."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from cascade.models.clip import Clip, Latents, Output
from cascade.models.media.contact_sheet import encode_contact_sheet
from cascade.models.media.file import MP4, PNG, WEBP, File
from cascade.models.media.latent_preview import linear_preview
from cascade.models.media.video import encode_mp4, encode_webp

Preview = Callable[[Latents], Clip]


def as_clip(output: Output, preview: Preview = linear_preview) -> Clip:
    """Return the output itself if it is a clip, else `preview` of its latents: (batch, frames, 3, height, width)."""
    return output if isinstance(output, Clip) else preview(output)


def renditions(output: Output, preview: Preview = linear_preview) -> Mapping[str, File]:
    """Encode the first video of an output for people, by kind: `mp4`, `webp`, `png` (contact sheet), `thumbnail`.

    Args:
        output: a clip, pixel values in [-1, 1], height and width even; or latents.
        preview: decodes latents (`Stage.preview`).
    """
    clip = as_clip(output, preview)
    frames = clip.to_uint8()[0]
    return {
        "mp4": File(encode_mp4(frames, clip.fps), ".mp4", MP4),
        "webp": File(encode_webp(frames, clip.fps), ".webp", WEBP),
        "png": File(encode_contact_sheet(frames), ".png", PNG),
        "thumbnail": File(encode_webp(frames[:1], clip.fps), "-thumbnail.webp", WEBP),
    }
