"""A table of figures as CSV, and as bars."""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure


def write_rows(table: Path, picture: Path, rows: Sequence[Mapping[str, str | float]]) -> None:
    """The first column names the row, all others are figures; also printed."""
    table.parent.mkdir(parents=True, exist_ok=True)
    name, *figures = rows[0]
    lines = [
        {key: value if isinstance(value, str) else f"{value:.4g}" for key, value in row.items()}
        for row in rows
    ]
    for stream in (table.open("w", newline=""), sys.stdout):
        writer = csv.DictWriter(stream, [name, *figures], lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
        stream.flush()
    drawn = Figure(figsize=(2.6 * len(figures), 2.6), layout="constrained")
    for axes, figure in zip(drawn.subplots(1, len(figures), squeeze=False)[0], figures, strict=True):
        axes.barh([str(row[name]) for row in rows], [float(row[figure]) for row in rows], color="#2a7f9e")
        axes.set_title(figure, fontsize=9)
        axes.invert_yaxis()
        if axes is not drawn.axes[0]:
            axes.set_yticks([])
    drawn.savefig(picture, dpi=80)
