"""Windows of frames, as the paper counts them."""

from __future__ import annotations

import pytest

from cascade.models.families.show1.windows import keyframe_windows, overlapping_windows


def test_8_keyframes_become_7_windows_that_cover_29_frames() -> None:
    windows = keyframe_windows(8, 3)
    assert [(w.start, w.stop) for w in windows] == [
        (0, 5),
        (4, 9),
        (8, 13),
        (12, 17),
        (16, 21),
        (20, 25),
        (24, 29),
    ]


def test_29_frames_are_4_windows_of_8_that_share_a_frame() -> None:
    windows = overlapping_windows(29, 8, 1)
    assert [(w.start, w.stop) for w in windows] == [(0, 8), (7, 15), (14, 22), (21, 29)]


@pytest.mark.parametrize(("frames", "window", "overlap"), [(28, 8, 1), (4, 8, 1), (29, 8, 8)])
def test_windows_that_do_not_cover_the_frames_are_refused(frames: int, window: int, overlap: int) -> None:
    with pytest.raises(ValueError, match="do not cover"):
        overlapping_windows(frames, window, overlap)
