"""Reading a clip out of a video file."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from cascade.models.errors import VideoFileError


def read_clip(
    path: Path,
    frames: int,
    height: int,
    width: int,
    stride: int = 1,
    rng: np.random.Generator | None = None,
    *,
    cropped: bool = True,
) -> Tensor:
    """Read frames of a video file from its start, or from a place that `rng` chooses.

    Args:
        frames, height, width: of the clip.
        stride: keep every n-th frame of the file.
        cropped: cut the pictures at the centre to the aspect, then resize them; else resize the whole picture, whatever
            its aspect.
    Returns:
        float32 (frames, 3, height, width) in [-1, 1].
    Raises:
        VideoFileError: the file cannot be read, or has too few frames.
    """
    span = (frames - 1) * stride + 1
    try:
        with av.open(path) as container:
            stream = container.streams.video[0]
            count = stream.frames or sum(1 for _ in container.decode(video=0))
            container.seek(0)
            if count < span:
                raise VideoFileError(f"{path.name} has {count} frames; {span} are needed")
            first = 0 if rng is None else int(rng.integers(count - span + 1))
            images = [
                _fit(_image(frame), height, width, cropped=cropped)
                for frame in islice(container.decode(video=0), first, first + span, stride)
            ]
    except (av.FFmpegError, OSError, IndexError) as error:
        raise VideoFileError(f"{path.name} cannot be read: {error}") from error
    if len(images) < frames:
        raise VideoFileError(f"only {len(images)} of {frames} frames of {path.name} could be decoded")
    # Contiguous: gradients of convolutions over frames in another order of memory crash on some CPUs.
    pixels = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous()
    return pixels.float() / 127.5 - 1


def _image(frame: av.VideoFrame) -> Image.Image:
    image: Image.Image = frame.to_image()  # type: ignore[no-untyped-call]
    return image


def _fit(image: Image.Image, height: int, width: int, *, cropped: bool) -> npt.NDArray[np.uint8]:
    """Crop the centre to the aspect, if it is to be cropped, then resize with antialiasing: (height, width, 3)."""
    if not cropped:
        return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))
    scale = min(image.width / width, image.height / height)
    left, top = (image.width - width * scale) / 2, (image.height - height * scale) / 2
    box = (left, top, left + width * scale, top + height * scale)
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC, box))
