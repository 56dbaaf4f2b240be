"""The protocols of Show-1's section 4.2, over a list of video files; presets of any family can be measured by them."""

from __future__ import annotations

from collections.abc import Mapping

from cascade.models.evaluation.suites import Suite

SUITES: Mapping[str, Suite] = {
    "ucf-101": Suite(
        "Show-1, section 4.2: 10,000 videos of prompts written for the classes; FVD of 2,048. The Inception Score is of "
        "frames by ImageNet's Inception-v3, and not comparable with the paper's Table 1.",
        listed=10_000,
        references=2_048,
        size=(256, 256),
    ),
    "msr-vtt": Suite(
        "Show-1, section 4.2: a video for each of the 59,794 captions of the test split for CLIPSIM; FID-vid and FVD of "
        "2,048.",
        listed=59_794,
        references=2_048,
        size=(256, 256),
    ),
}
