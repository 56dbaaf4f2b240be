"""Windows of frames: between neighbouring keyframes, and overlapping along a clip."""

from __future__ import annotations


def keyframe_windows(num_keyframes: int, frames_between: int) -> list[range]:
    """Output frames of each window between neighbouring keyframes, end frames included (Show-1, section 3.4).

    8 keyframes with 3 frames between them are 7 windows of 5, which cover 29 frames.
    """
    stride = frames_between + 1
    return [range(first * stride, (first + 1) * stride + 1) for first in range(num_keyframes - 1)]


def overlapping_windows(num_frames: int, window: int, overlap: int) -> list[range]:
    """Windows of `window` frames that share `overlap` frames with the next (Show-1, section 3.5).

    29 frames in windows of 8 that share 1 are 4 windows.

    Raises:
        ValueError: the windows do not cover the frames exactly.
    """
    stride = window - overlap
    if not 0 <= overlap < window or num_frames < window or (num_frames - window) % stride:
        raise ValueError(
            f"windows of {window} frames sharing {overlap} do not cover {num_frames} frames exactly"
        )
    return [range(start, start + window) for start in range(0, num_frames - window + 1, stride)]
