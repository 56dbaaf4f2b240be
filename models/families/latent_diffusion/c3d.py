"""C3D (Tran et al., 2015), the classifier of whole videos in the Inception Score of videos (TGAN2, Saito et al., 2020).

Trained on UCF-101, its weights are published as `conv3d_deepnetA_ucf.npz`, and the mean clip of its data as `mean2.npz`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Self
from zipfile import BadZipFile

import numpy
import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from cascade.models.errors import ModelError

FRAMES, SIDE = 16, 112
MEAN_MARGIN = 8
"""The published mean is larger than the clips; a square of SIDE is cut out of it, this far from its top and left."""
BLOCKS = (
    (1, ("conv1a",)),
    (2, ("conv2a",)),
    (4, ("conv3a", "conv3b")),
    (8, ("conv4a", "conv4b")),
    (8, ("conv5a", "conv5b")),
)
"""Convolutions between two poolings, with their channels as multiples of the first one's."""


class C3D(nn.Module):
    """Classifies clips of 16 frames.

    Args:
        classes: of its data: 101 of UCF-101.
        channels: of the first convolution.
        width: of the layers before the last.
    """

    mean: Tensor

    def __init__(self, classes: int = 101, channels: int = 64, width: int = 4096) -> None:
        super().__init__()
        self.convolutions = nn.ModuleDict()
        before = 3
        for multiple, names in BLOCKS:
            for name in names:
                self.convolutions[name] = nn.Conv3d(before, multiple * channels, 3, padding=1)
                before = multiple * channels
        self.fc6 = nn.Linear(before * 4 * 4, width)
        self.fc7 = nn.Linear(width, width)
        self.fc8 = nn.Linear(width, classes)
        self.register_buffer("mean", torch.zeros(3, FRAMES, SIDE, SIDE))

    @classmethod
    def load(cls, weights: Path, mean: Path) -> Self:
        """Read the published files.

        Raises:
            ModelError: a file cannot be read, or lacks a tensor.
        """
        try:
            stored, clip = numpy.load(weights), numpy.load(mean)["mean"]
            tensors = {name: torch.from_numpy(stored[_published_name(name)]) for name in _weight_names()}
        except (OSError, KeyError, ValueError, BadZipFile) as error:
            raise ModelError(f"C3D cannot be read from {weights} and {mean}: {error}") from error
        with torch.device("meta"):
            network = cls(*(len(tensors[f"{name}.bias"]) for name in ("fc8", "convolutions.conv1a", "fc7")))
        inside = slice(MEAN_MARGIN, MEAN_MARGIN + SIDE)
        tensors["mean"] = torch.from_numpy(clip)[..., inside, inside].float().reshape(3, FRAMES, SIDE, SIDE)
        network.load_state_dict(tensors, assign=True)
        return network.eval().requires_grad_(False)

    def forward(self, clips: Tensor) -> Tensor:
        """Classify clips (batch, frames, 3, height, width) in [-1, 1]: logits (batch, classes)."""
        hidden = self.prepare(clips)
        for number, (_, names) in enumerate(BLOCKS):
            for name in names:
                hidden = self.convolutions[name](hidden).relu()
            frames = 1 if number == 0 else 2  # the first pooling keeps all frames
            hidden = functional.max_pool3d(hidden, (frames, 2, 2), ceil_mode=True)
        hidden = self.fc6(hidden.flatten(1)).relu()
        logits: Tensor = self.fc8(self.fc7(hidden).relu())
        return logits

    def prepare(self, clips: Tensor) -> Tensor:
        """Turn clips (batch, frames, 3, height, width) in [-1, 1] into what the network was trained on.

        Returns:
            (batch, 3, 16, 112, 112): blue, green and red from 0 to 255, less the mean clip.
        Raises:
            ValueError: the clips have fewer than 16 frames; of longer ones the first 16 are taken.
        """
        if clips.shape[1] < FRAMES:
            raise ValueError(f"C3D classifies {FRAMES} frames; the clips have {clips.shape[1]}")
        frames = rearrange(clips[:, :FRAMES], "b f c h w -> (b f) c h w")
        resized = functional.interpolate(frames, (SIDE, SIDE), mode="bilinear", align_corners=True)
        values = (resized.clamp(-1, 1) + 1) * 127.5
        return rearrange(values.flip(1), "(b f) c h w -> b c f h w", f=FRAMES) - self.mean


def _weight_names() -> list[str]:
    with torch.device("meta"):
        return [name for name, _ in C3D().named_parameters()]


def _published_name(name: str) -> str:
    """Return the name in the published file: `convolutions.conv1a.weight` is `conv1a/W`."""
    layer, kind = name.removeprefix("convolutions.").split(".")
    return f"{layer}/{'W' if kind == 'weight' else 'b'}"
