"""Figures of a finding as CSV and as bars, and its frames side by side."""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from cascade.models.clip import Clip
from cascade.models.media.contact_sheet import contact_sheet


def write_rows(table: Path, picture: Path, rows: Sequence[Mapping[str, str | float]]) -> None:
    """Write rows as CSV and as bars, and print them; the first column names the row, all others are figures."""
    table.parent.mkdir(parents=True, exist_ok=True)
    name, *figures = rows[0]
    lines = [
        {key: value if isinstance(value, str) else f"{value:.4g}" for key, value in row.items()}
        for row in rows
    ]
    with table.open("w", newline="") as file:
        for stream in (file, sys.stdout):
            writer = csv.DictWriter(stream, [name, *figures], lineterminator="\n")
            writer.writeheader()
            writer.writerows(lines)
    chart = Figure(figsize=(2.6 * len(figures), 2.6), layout="constrained")
    for axes, figure in zip(chart.subplots(1, len(figures), squeeze=False)[0], figures, strict=True):
        axes.barh([str(row[name]) for row in rows], [float(row[figure]) for row in rows], color="#2a7f9e")
        axes.set_title(figure, fontsize=9)
        axes.invert_yaxis()
        if axes is not chart.axes[0]:
            axes.set_yticks([])
    chart.savefig(picture, dpi=80)


def frames_sheet(frames: Tensor) -> Image.Image:
    """Draw the contact sheet of frames (frames, 3, height, width) in [-1, 1]."""
    return contact_sheet(Clip(frames[None], fps=1).to_uint8()[0])


def psnr(first: Tensor, second: Tensor) -> float:
    """Compute the peak signal-to-noise ratio, in dB, of two clips (frames, 3, height, width) in [-1, 1]."""
    return float(-10 * ((first - second).square().mean() / 4).log10())
