"""The figures of a report as one picture: a panel of bars for each, with 95 % confidence intervals."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Sequence

from matplotlib.figure import Figure

from cascade.models.evaluation.statistics import Estimate

Row = tuple[str, str, str, str, Estimate]
"""One estimate: (group, split, stage, figure, estimate)."""

COLUMNS = 2
PANEL_WIDTH, BAR_HEIGHT, HEAD_HEIGHT = 5.5, 0.22, 0.7
"""In inches."""
COLOURS = ("#2a7f9e", "#c9742b", "#6a8f3c", "#8a5a9e")


def plot(rows: Sequence[Row]) -> bytes:
    """Draw figures as PNG; a stage and its baseline, such as `psnr (stage)` and `psnr (plain)`, share a panel."""
    panels: dict[str, list[tuple[str, str, Estimate]]] = {}
    for _, split, stage, figure_name, estimate in rows:
        name, way = re.fullmatch(r"(.*?)(?: \((\w+)\))?", figure_name).groups()  # type: ignore[union-attr]
        panels.setdefault(name, []).append((stage, f"{split}, {way}" if way else split, estimate))
    lines = math.ceil(len(panels) / COLUMNS)
    heights = [
        HEAD_HEIGHT + BAR_HEIGHT * max(map(len, list(panels.values())[line * COLUMNS :][:COLUMNS]))
        for line in range(lines)
    ]
    figure = Figure(figsize=(COLUMNS * PANEL_WIDTH, sum(heights)), layout="constrained")
    grid = figure.subplots(lines, COLUMNS, squeeze=False, height_ratios=heights)
    for axes in grid.flat[len(panels) :]:
        axes.remove()
    for axes, (title, bars) in zip(grid.flat, panels.items(), strict=False):
        series = list(dict.fromkeys(name for _, name, _ in bars))
        estimates = [estimate for _, _, estimate in bars]
        axes.barh(
            [f"{stage}, {name}" for stage, name, _ in bars],
            [estimate.value for estimate in estimates],
            xerr=[
                [_length(estimate.value - estimate.low) for estimate in estimates],
                [_length(estimate.high - estimate.value) for estimate in estimates],
            ],
            color=[COLOURS[series.index(name) % len(COLOURS)] for _, name, _ in bars],
            error_kw={"elinewidth": 1, "capsize": 2},
        )
        axes.invert_yaxis()
        axes.set_title(title, fontsize="medium", loc="left")
        axes.tick_params(labelsize="small")
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=100)
    return content.getvalue()


def _length(error: float) -> float:
    """Return the length of an error bar: NaN draws none, for infinite intervals; a resampled one need not contain the figure."""
    return max(0.0, error) if math.isfinite(error) else math.nan
