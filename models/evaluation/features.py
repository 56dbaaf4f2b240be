"""What the networks saw in the clips of a run, made and real: kept by stage and sample, and summed up over all samples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from cascade.models.evaluation.distances import bootstrapped, frechet_distance, inception_score
from cascade.models.evaluation.feature_networks import Judged
from cascade.models.evaluation.statistics import Estimate

FOLDER = "features"
Side = Literal["made", "real"]


def keep_features(folder: Path, side: Side, stage: str, name: str, seen: Judged) -> None:
    """`stage` is the one that made the clip, or that a real clip is compared with."""
    target = folder / FOLDER / side / stage
    target.mkdir(parents=True, exist_ok=True)
    certainty = torch.tensor(seen.certainty)
    tensors = {"clip": seen.clip, "frames": seen.frames, "classes": seen.classes, "certainty": certainty}
    save_file(
        {key: tensor.float().contiguous() for key, tensor in tensors.items()}, target / f"{name}.safetensors"
    )


def distances(folder: Path) -> Iterator[tuple[str, str, Estimate]]:
    """Over the kept features, (stage, figure, estimate): FVD and FID-vid from the stage's real clips, Inception Score.

    A Fréchet distance is of as many clips as there are of the rarer kind, made or real, the first of each by name.
    """
    for stage in sorted((folder / FOLDER / "made").glob("*")):
        made = sorted(stage.glob("*.safetensors"))
        real = sorted((folder / FOLDER / "real" / stage.name).glob("*.safetensors"))
        count = min(len(made), len(real))
        if count >= 2:
            yield stage.name, "FVD", _apart("clip", made[:count], real[:count])
            yield stage.name, "FID-vid", _apart("frames", made[:count], real[:count])
        if len(made) >= 2:
            classes, certainty = _read("classes", made), _read("certainty", made)
            score = bootstrapped(
                lambda n, classes=classes, certainty=certainty: inception_score(classes[n], certainty[n]),
                len(made),
            )
            yield stage.name, "Inception Score", score


def _apart(part: str, made: Sequence[Path], real: Sequence[Path]) -> Estimate:
    """Clips are drawn, with all of their frames."""
    first, second = _read(part, made), _read(part, real)
    width = first.shape[-1]
    return bootstrapped(
        lambda n: frechet_distance(first[n].reshape(-1, width), second[n].reshape(-1, width)), len(made)
    )


def _read(part: str, files: Sequence[Path]) -> Tensor:
    """One tensor of each file: (files, ...)."""
    tensors = []
    for file in files:
        with safe_open(file, "pt") as kept:
            tensors.append(kept.get_tensor(part))
    return torch.stack(tensors)
