"""The loss of a run as a table and a picture, from its TensorBoard logs."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure
from tensorboard.backend.event_processing.event_accumulator import (  # type: ignore[import-untyped]
    SCALARS,
    EventAccumulator,
)

SPANS = 200


def write_curves(logs: Path, table: Path, picture: Path) -> None:
    """Write the mean loss and clips per second of at most 200 spans of the run as CSV, and the loss as PNG.

    Raises:
        ValueError: nothing is logged yet.
    """
    events = EventAccumulator(str(logs), size_guidance={SCALARS: 0})
    events.Reload()
    if "loss" not in events.Tags()["scalars"]:
        raise ValueError(f"{logs} holds no losses")
    losses, rates = events.Scalars("loss"), events.Scalars("clips per second")
    length = -(-len(losses) // SPANS)
    rows = [
        (
            losses[start : start + length][-1].step,
            _mean([event.value for event in losses[start : start + length]]),
            _mean([event.value for event in rates[start : start + length]]),
        )
        for start in range(0, len(losses), length)
    ]
    with table.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("step", "loss", "clips per second"))
        writer.writerows((step, f"{loss:.5g}", f"{rate:.3g}") for step, loss, rate in rows)
    figure = Figure(figsize=(7, 3), layout="constrained")
    axes = figure.subplots()
    axes.plot([row[0] for row in rows], [row[1] for row in rows], color="#2a7f9e")
    axes.set(xlabel="step", ylabel="loss", yscale="log")
    axes.grid(visible=True, alpha=0.3, which="both")
    figure.savefig(picture, dpi=80)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
