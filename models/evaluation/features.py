"""What the networks saw in the clips of a run: kept by sample, and summed up over all of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from models.evaluation.distances import bootstrapped, frechet_distance, inception_score
from models.evaluation.networks import Judged
from models.evaluation.statistics import Estimate

FOLDER = "features"
REFERENCE = "reference"
FRAMES = 8


def keep_features(folder: Path, name: str, stage: str, seen: Judged) -> None:
    target = folder / FOLDER / stage
    target.mkdir(parents=True, exist_ok=True)
    tensors = {"clip": seen.clip, "frames": _spread(seen.frames), "classes": seen.classes}
    save_file(
        {key: tensor.float().contiguous() for key, tensor in tensors.items()}, target / f"{name}.safetensors"
    )


def distances(folder: Path) -> Iterator[tuple[str, str, Estimate]]:
    """Over the kept features, (stage, figure, estimate): FVD, FID-vid and Inception Score.

    A Fréchet distance is of as many clips as there are of the rarer kind, made or real, the first of each by name.
    """
    kept = {
        stage.name: [load_file(file) for file in sorted(stage.glob("*.safetensors"))]
        for stage in sorted((folder / FOLDER).glob("*"))
    }
    reference = kept.pop(REFERENCE, [])
    for stage, clips in kept.items():
        count = min(len(clips), len(reference))
        if count >= 2:
            yield stage, "FVD", _apart("clip", clips[:count], reference[:count])
            yield stage, "FID-vid", _apart("frames", clips[:count], reference[:count])
        if len(clips) >= 2:
            classes = torch.stack([sample["classes"] for sample in clips])
            score = bootstrapped(lambda n, p=classes: inception_score(p[n].flatten(0, 1)), len(clips))
            yield stage, "Inception Score", score


def _apart(part: str, made: list[dict[str, Tensor]], real: list[dict[str, Tensor]]) -> Estimate:
    first, second = (
        torch.stack([torch.atleast_2d(sample[part]) for sample in clips]) for clips in (made, real)
    )
    return bootstrapped(
        lambda n: frechet_distance(first[n].flatten(0, 1), second[n].flatten(0, 1)), len(made)
    )


def _spread(frames: Tensor) -> Tensor:
    """Eight frames of a clip, first and last included."""
    return frames[torch.linspace(0, len(frames) - 1, FRAMES).round().long()]
