"""The report of a run: JSON for machines, Markdown, and one HTML page with plots and contact sheets."""

from __future__ import annotations

import base64
import html
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from models.evaluation.features import distances
from models.evaluation.runner import HIGHEST_PSNR, NETWORKS, SQUARED_ERROR
from models.evaluation.statistics import Estimate, mean, share

Row = tuple[str, str, str, str, Estimate]
"""What is measured: (group, split, stage, figure, estimate)."""


def summarise(records: Iterable[Mapping[str, Any]]) -> list[Row]:
    """Every figure of a run, over its samples."""
    gathered: dict[tuple[str, str, str, str], list[Any]] = {}
    for record in records:
        for stage, figures in record["stages"].items():
            for name, value in _flat(figures):
                key = (record["kind"], record["split"], stage, name)
                gathered.setdefault(key, []).append(value)
    rows = [(*key, share(v) if isinstance(v[0], bool) else mean(v)) for key, v in gathered.items()]
    return [_pooled(row) if row[3].startswith(SQUARED_ERROR) else row for row in rows]


def _pooled(row: Row) -> Row:
    """The PSNR of all clips together, from their mean squared error in [-1, 1].

    The mean of the clips' own PSNR says more of clips that are restored nearly perfectly, such as still ones.
    """
    group, split, stage, name, error = row
    value, low, high = (
        min(HIGHEST_PSNR, 10 * (math.log10(4) - math.log10(square))) if square > 0 else HIGHEST_PSNR
        for square in (error.value, error.high, error.low)
    )
    name = name.replace(SQUARED_ERROR, "psnr of all together")
    return group, split, stage, name, Estimate(value, low, high, error.count)


def write_report(folder: Path, title: str, records: Sequence[Mapping[str, Any]]) -> list[Path]:
    """Write report.json, report.md and report.html into `folder`, from the records and the features kept there."""
    rows = summarise(records)
    rows += [
        ("distribution", "all", stage, figure, estimate) for stage, figure, estimate in distances(folder)
    ]
    data = [
        {"group": group, "split": split, "stage": stage, "figure": name, **asdict(estimate)}
        for group, split, stage, name, estimate in rows
    ]
    files = [folder / name for name in ("report.json", "report.md", "report.html")]
    files[0].write_text(json.dumps({"title": title, "rows": data}, indent=2))
    networks = (folder / NETWORKS).read_text()
    files[1].write_text(_markdown(title, rows, networks))
    files[2].write_text(_page(title, rows, networks, sorted((folder / "sheets").glob("*.png"))))
    return files


def compare(first: Path, second: Path) -> str:
    """Two reports side by side, as Markdown; figures whose intervals do not meet are marked."""
    reports = [json.loads((folder / "report.json").read_text()) for folder in (first, second)]
    keys = ("group", "split", "stage", "figure")
    one, other = ({tuple(row[key] for key in keys): row for row in report["rows"]} for report in reports)
    lines = [f"| what | {first.name} | {second.name} | apart |", "|---|---|---|---|"]
    for key in one.keys() | other.keys():
        cells = [
            _cell(Estimate(*(side[key][name] for name in ("value", "low", "high", "count"))))
            if key in side
            else ""
            for side in (one, other)
        ]
        apart = (
            key in one
            and key in other
            and (one[key]["low"] > other[key]["high"] or other[key]["low"] > one[key]["high"])
        )
        lines.append(f"| {' · '.join(key)} | {cells[0]} | {cells[1]} | {'yes' if apart else ''} |")
    return "\n".join([lines[0], lines[1], *sorted(lines[2:])]) + "\n"


def _flat(figures: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    for name, value in figures.items():
        if isinstance(value, Mapping):
            yield from ((f"{inner} ({name})", figure) for inner, figure in _flat(value))
        else:
            yield name, value


def _cell(estimate: Estimate) -> str:
    return f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}] of {estimate.count}"


def _markdown(title: str, rows: Sequence[Row], networks: str) -> str:
    lines = [f"# {title}", "", "Figures with 95 % confidence intervals.", ""]
    lines += ["| group | split | stage | figure | value |", "|---|---|---|---|---|"]
    lines += [f"| {' | '.join(row[:4])} | {_cell(row[4])} |" for row in rows]
    return "\n".join([*lines, "", networks, ""])


def _page(title: str, rows: Sequence[Row], networks: str, sheets: Sequence[Path]) -> str:
    table = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in (*row[:4], _cell(row[4]))) + "</tr>"
        for row in rows
    )
    pictures = "".join(
        f"<figure><figcaption>{html.escape(sheet.stem)}</figcaption>{_image(sheet.read_bytes())}</figure>"
        for sheet in sheets
    )
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(title)}</title>
<style>body{{font:16px/1.4 system-ui,sans-serif;margin:1rem auto;max-width:1100px;padding:0 1rem}}
table{{border-collapse:collapse}}td,th{{padding:.2rem .6rem;border-bottom:1px solid #8884;text-align:left}}
img{{max-width:100%}}figure{{margin:1rem 0}}</style>
<h1>{html.escape(title)}</h1>
<p>Figures with 95 % confidence intervals. {html.escape(networks)}</p>
{_image(_plot(rows))}
<table><thead><tr><th>group<th>split<th>stage<th>figure<th>value</tr></thead><tbody>{table}</tbody></table>
<h2>What was made</h2>{pictures}</html>
"""


def _plot(rows: Sequence[Row]) -> bytes:
    """The share that is all correct, by stage and split."""
    found = [row for row in rows if row[0] == "alignment" and row[3] == "all_correct"]
    figure = Figure(figsize=(9, 0.5 * len(found) + 1.2), layout="constrained")
    axes = figure.subplots()
    values = [row[4] for row in found]
    axes.barh(
        [f"{row[2]}, {row[1]}" for row in found],
        [estimate.value for estimate in values],
        xerr=[[e.value - e.low for e in values], [e.high - e.value for e in values]],
        color="#2a7f9e",
    )
    axes.set_xlim(0, 1)
    axes.invert_yaxis()
    axes.set_xlabel("share of videos with all attributes correct")
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=100)
    return content.getvalue()


def _image(content: bytes) -> str:
    return f'<img alt="" src="data:image/png;base64,{base64.b64encode(content).decode()}">'
