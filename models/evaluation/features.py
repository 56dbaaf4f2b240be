"""Features of the clips of a run, generated and real: stored by stage and sample, and summed up over all samples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from cascade.models.evaluation.distances import bootstrapped, frechet_distance, inception_score
from cascade.models.evaluation.feature_networks import ClipMeasurements
from cascade.models.evaluation.statistics import Estimate

FOLDER = "features"
Origin = Literal["generated", "real"]
"""Where clips come from: a stage generated them, or they are the real ones that these are compared with."""


def store_features(
    folder: Path, origin: Origin, stage: str, name: str, measurements: ClipMeasurements
) -> None:
    """Store a clip's features under the stage that generated it, or that a real clip is compared with."""
    target = folder / FOLDER / origin / stage
    target.mkdir(parents=True, exist_ok=True)
    certainty = torch.tensor(measurements.certainty)
    tensors = {
        "clip": measurements.clip,
        "frames": measurements.frames,
        "classes": measurements.classes,
        "certainty": certainty,
    }
    save_file(
        {key: tensor.float().contiguous() for key, tensor in tensors.items()}, target / f"{name}.safetensors"
    )


def distances(folder: Path) -> Iterator[tuple[str, str, Estimate]]:
    """Yield (stage, figure, estimate) over the stored features.

    FVD and FID-vid are distances from the stage's real clips; the Inception Score needs none. A Fréchet distance is of as many
    clips as there are of the rarer kind, generated or real, the first of each by name.
    """
    for stage in sorted((folder / FOLDER / "generated").glob("*")):
        generated = sorted(stage.glob("*.safetensors"))
        real = sorted((folder / FOLDER / "real" / stage.name).glob("*.safetensors"))
        count = min(len(generated), len(real))
        if count >= 2:
            yield stage.name, "FVD", _distance("clip", generated[:count], real[:count])
            yield stage.name, "FID-vid", _distance("frames", generated[:count], real[:count])
        if len(generated) >= 2:
            yield stage.name, "Inception Score", _inception_score(generated)


def _inception_score(generated: Sequence[Path]) -> Estimate:
    """Compute the Inception Score with an interval from resampled clips."""
    classes, certainty = _read("classes", generated), _read("certainty", generated)
    return bootstrapped(lambda n: inception_score(classes[n], certainty[n]), len(generated))


def _distance(part: str, generated: Sequence[Path], real: Sequence[Path]) -> Estimate:
    """Compute a Fréchet distance with an interval from resampled clips, each with all of its frames."""
    first, second = _read(part, generated), _read(part, real)
    width = first.shape[-1]
    return bootstrapped(
        lambda n: frechet_distance(first[n].reshape(-1, width), second[n].reshape(-1, width)), len(generated)
    )


def _read(part: str, files: Sequence[Path]) -> Tensor:
    """Read one tensor of each file: (count of files, ...)."""
    tensors = []
    for file in files:
        with safe_open(file, "pt") as stored:
            tensors.append(stored.get_tensor(part))
    return torch.stack(tensors)
