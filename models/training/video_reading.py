"""Reading a clip out of a video file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cascade.models.training.video_frames import Sampling, read_pictures


def read_clip(
    path: Path,
    frames: int,
    height: int,
    width: int,
    stride: int = 1,
    rng: np.random.Generator | None = None,
    *,
    cropped: bool = True,
    fps: float | None = None,
) -> Tensor:
    """Read frames of a video file from its start, or from a place that `rng` chooses.

    Frames are upright, of square pixels, and in the colours that players show.

    Args:
        frames, height, width: of the clip.
        stride: keep every n-th frame of the file; where its frames come at uneven times, as many a second.
        cropped: cut the pictures at the centre to the aspect, then resize them; else resize the whole picture, whatever
            its aspect.
        fps: frames per second of the file's time, instead of the stride.
    Returns:
        float32 (frames, 3, height, width) in [-1, 1].
    Raises:
        VideoFileError: the file cannot be read, or is too short.
    """
    place = None if rng is None else float(rng.random())
    pictures = read_pictures(path, Sampling(frames, stride, fps), height, width, place, cropped=cropped)
    # Contiguous: gradients of convolutions over frames in another order of memory crash on some CPUs.
    pixels = torch.from_numpy(pictures).permute(0, 3, 1, 2).contiguous()
    return pixels.float() / 127.5 - 1
