"""The CSVs below docs/planning/."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs" / "planning"
FIGURES = "figures.csv"

Row = Mapping[str, str | float | int]


def write_table(name: str, rows: Sequence[Row]) -> None:
    """Write rows with the same columns; numbers with five digits."""
    DOCS.mkdir(parents=True, exist_ok=True)
    with (DOCS / name).open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(
            {key: f"{value:.5g}" if isinstance(value, float) else value for key, value in row.items()}
            for row in rows
        )


def read_table(name: str) -> list[dict[str, str]]:
    """Read rows; none if the table is not there yet."""
    path = DOCS / name
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def write_figures(figures: Mapping[str, str]) -> None:
    """Put figures of the text into figures.csv, in the place of those of the same names."""
    merged = {row["name"]: row["value"] for row in read_table(FIGURES)} | dict(figures)
    write_table(FIGURES, [{"name": name, "value": value} for name, value in sorted(merged.items())])
