"""What the proposal is to be judged by: FVD (section 4.1) and the Inception Score of videos (4.2), and its two worries as figures.

The worries are those of the introduction: frames that drift away from the prompt, and clips of a fixed length that cut an
action before it is over.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import fmean

import torch
from torch import Generator, Tensor

from cascade.models.evaluation.distances import frechet_distance, inception_score
from cascade.models.evaluation.statistics import Estimate, mean

Compare = Callable[[Tensor, str], tuple[Tensor, float]]
"""Takes frames (frames, 3, height, width) in [-1, 1] and a prompt; returns features (frames, d) and their similarity."""

REPEATS = 4
"""Of the Inception Score's protocol: each of 10,000 videos."""
DRAWS = 10
"""Sets of real clips that FVD is the mean over."""
SECTIONS = 4
"""Parts of a clip whose motion is compared."""
STILL = 0.002
"""Mean change between frames in [-1, 1] below which nothing moves: a quarter of a step of 8 bits."""
CUT = 0.5
"""Share of the strongest motion above which a clip that ends is cut in mid-action."""


def fvd_of_draws(generated: Tensor, real: Tensor, draws: int = DRAWS, seed: int = 0) -> Estimate:
    """Compute FVD, the mean over several draws of as many real clips as there are generated ones.

    A Fréchet distance falls as the number of clips grows: figures are of one number of clips, which published ones are of
    2,048 each.

    Args:
        generated: features of clips (count, d): of I3D, for figures that can be compared with published ones.
        real: features of at least as many real clips, (count, d).
    Raises:
        ValueError: there are fewer real clips than generated ones.
    """
    count = len(generated)
    if len(real) < count:
        raise ValueError(f"{count} generated clips need as many real ones; there are {len(real)}")
    generator = Generator().manual_seed(seed)
    chosen = (torch.randperm(len(real), generator=generator)[:count] for _ in range(draws))
    return mean([frechet_distance(generated, real[indices]) for indices in chosen])


def video_inception_score(probabilities: Tensor, repeats: int = REPEATS) -> Estimate:
    """Compute the Inception Score of whole videos, the mean over equal parts of them.

    exp of the mean divergence of each video's classes from those of all (Salimans et al., 2016), as TGAN2 computes it.

    Args:
        probabilities: of the classes of each video by its classifier, such as C3D: (video count, classes). For figures that can
            be compared with published ones: 4 x 10,000 videos of UCF-101's classes.
        repeats: number of the parts.
    Raises:
        ValueError: the parts would not be equal, or empty.
    """
    videos = len(probabilities)
    if videos == 0 or videos % repeats:
        raise ValueError(f"{videos} videos cannot be split into {repeats} equal parts")
    return mean(
        [
            inception_score(part, torch.xlogy(part, part).sum(dim=1))
            for part in probabilities.double().chunk(repeats)
        ]
    )


def similarity_by_frame(frames: Tensor, prompt: str, compare: Compare) -> tuple[float, ...]:
    """Compare each frame of a clip (frames, 3, height, width) in [-1, 1] with the prompt by itself."""
    return tuple(compare(frame[None], prompt)[1] for frame in frames)


def drift(similarities: tuple[float, ...]) -> float:
    """Compute how much the similarity changes from the first frame to the last, along the line that fits all best.

    Below 0, the frames drift away from the prompt. A clip of one frame has no drift: 0.
    """
    count = len(similarities)
    if count == 1:
        return 0.0
    middle, average = (count - 1) / 2, fmean(similarities)
    slope = sum((i - middle) * (value - average) for i, value in enumerate(similarities)) / sum(
        (i - middle) ** 2 for i in range(count)
    )
    return slope * (count - 1)


def closing_motion(frames: Tensor) -> float:
    """Compare the motion at the end of a clip with that of its most lively quarter.

    Motion is the mean absolute change between neighbouring frames (frames, 3, height, width) in [-1, 1].

    Returns:
        0 for a clip that has come to rest, 1 for one that ends in full motion. 0 where nothing moves at all.
    Raises:
        ValueError: the clip has fewer than five frames, one change in each quarter.
    """
    if len(frames) <= SECTIONS:
        raise ValueError(f"motion by quarters needs {SECTIONS + 1} frames; the clip has {len(frames)}")
    changes = (frames[1:] - frames[:-1]).abs().mean(dim=(1, 2, 3))
    motion = torch.stack([part.mean() for part in changes.tensor_split(SECTIONS)])
    strongest = float(motion.max())
    return float(motion[-1]) / strongest if strongest >= STILL else 0.0


def ends_in_mid_action(frames: Tensor) -> bool:
    """Return whether a clip (frames, 3, height, width) in [-1, 1] is cut while something moves about as much as ever.

    An action that is shown whole comes to rest, or slows down. The share of such clips says something beside that of real
    clips of the same prompts: what moves evenly in them moves evenly to the end.
    """
    return closing_motion(frames) >= CUT
