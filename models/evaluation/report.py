"""The report of a run: JSON for machines, Markdown, and one HTML page with plots and contact sheets."""

from __future__ import annotations

import base64
import html
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cascade.models.errors import EvaluationError
from cascade.models.evaluation import diversity
from cascade.models.evaluation.features import distances
from cascade.models.evaluation.fidelity import HIGHEST_PSNR, SQUARED_ERROR
from cascade.models.evaluation.plot import Row, plot
from cascade.models.evaluation.run_folder import RUN
from cascade.models.evaluation.statistics import Estimate, mean, share
from cascade.models.evaluation.suites import REPORT
from cascade.models.output_files import write_whole

DISTRIBUTION = "distribution"
"""The group of figures of all samples together."""


def summarise(records: Iterable[Mapping[str, Any]]) -> list[Row]:
    """Estimate every figure of a run over its samples; those of a split such as `people/typo` count for `people` too."""
    values: dict[tuple[str, str, str, str], list[Any]] = {}
    for record in records:
        for stage, figures in record["stages"].items():
            for name, value in _flat(figures):
                for split in dict.fromkeys((record["split"].split("/")[0], record["split"])):
                    values.setdefault((record["kind"], split, stage, name), []).append(value)
    rows = [(*key, share(v) if isinstance(v[0], bool) else mean(v)) for key, v in values.items()]
    return [_pool_psnr(row) if row[3].startswith(SQUARED_ERROR) else row for row in rows]


def _pool_psnr(row: Row) -> Row:
    """Compute the PSNR of all clips together, from their mean squared error in [-1, 1].

    The mean of the clips' own PSNR is dominated by clips that are restored nearly perfectly, such as still ones.
    """
    group, split, stage, name, error = row
    value, low, high = (
        min(HIGHEST_PSNR, 10 * (math.log10(4) - math.log10(square))) if square > 0 else HIGHEST_PSNR
        for square in (error.value, error.high, error.low)
    )
    name = name.replace(SQUARED_ERROR, "psnr of all together")
    return group, split, stage, name, Estimate(value, low, high, error.count)


def write_report(
    folder: Path, title: str, description: str, records: Sequence[Mapping[str, Any]]
) -> list[Path]:
    """Write report.json, report.md and report.html into `folder`, from the records and the features stored there.

    Args:
        description: of the suite.
    """
    rows = summarise(records)
    rows += [(DISTRIBUTION, "all", stage, figure, estimate) for stage, figure, estimate in distances(folder)]
    spreads = list(diversity.distances_to_data(records))
    if spreads:
        rows += [(diversity.KIND, "all prompts", *figures) for figures in spreads]
        diversity.draw_spread(records).savefig(folder / "sheets" / "spread.png", dpi=80)
    networks = json.loads((folder / RUN).read_text())["networks"]
    head = {"title": title, "description": description, "networks": networks}
    files = [folder / name for name in (REPORT, "report.md", "report.html")]
    texts = (
        json.dumps({**head, "rows": [_as_json(row) for row in rows]}, indent=2),
        _markdown(rows, **head),
        _page(rows, sorted((folder / "sheets").glob("*.png")), **head),
    )
    for file, text in zip(files, texts, strict=True):
        write_whole(file, text.encode())
    return files


def compare(first: Path, second: Path) -> str:
    """Put two reports side by side, as Markdown; figures whose intervals do not meet are marked.

    Raises:
        EvaluationError: they are by different networks.
    """
    reports = [json.loads((folder / REPORT).read_text()) for folder in (first, second)]
    networks = [report.get("networks") for report in reports]
    if networks[0] != networks[1]:
        raise EvaluationError(
            f"{first} and {second} are measured by different networks, and cannot be compared: "
            f"{networks[0]} / {networks[1]}"
        )
    one, other = (dict(map(_from_json, report["rows"])) for report in reports)
    lines = [f"| what | {first.name} | {second.name} | apart |", "|---|---|---|---|"]
    for key in sorted(one.keys() | other.keys()):
        cells = [_cell(side[key]) if key in side else "" for side in (one, other)]
        differs = key in one and key in other and _differ(key[0], one[key], other[key])
        lines.append(f"| {' · '.join(key)} | {cells[0]} | {cells[1]} | {'yes' if differs else ''} |")
    return "\n".join(lines) + "\n"


def _differ(group: str, one: Estimate, other: Estimate) -> bool:
    """Return whether two intervals do not meet. A Fréchet distance depends on the number of samples, which must be equal."""
    if group == DISTRIBUTION and one.count != other.count:
        return False
    return one.low > other.high or other.low > one.high


def _as_json(row: Row) -> dict[str, Any]:
    """Return a row for JSON, which has no infinity: an open end of an interval is null."""
    group, split, stage, name, estimate = row
    figures = {part: number if math.isfinite(number) else None for part, number in asdict(estimate).items()}
    return {"group": group, "split": split, "stage": stage, "figure": name, **figures}


def _from_json(row: Mapping[str, Any]) -> tuple[tuple[str, str, str, str], Estimate]:
    low = -math.inf if row["low"] is None else row["low"]
    high = math.inf if row["high"] is None else row["high"]
    key = (row["group"], row["split"], row["stage"], row["figure"])
    return key, Estimate(row["value"], low, high, row["count"])


def _flat(figures: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    for name, value in figures.items():
        if isinstance(value, Mapping):
            yield from ((f"{inner} ({name})", figure) for inner, figure in _flat(value))
        else:
            yield name, value


def _cell(estimate: Estimate) -> str:
    return f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}] of {estimate.count}"


def _markdown(rows: Sequence[Row], title: str, description: str, networks: str) -> str:
    lines = [f"# {title}", "", description, "", "Figures with 95 % confidence intervals.", ""]
    lines += ["| group | split | stage | figure | value |", "|---|---|---|---|---|"]
    lines += [f"| {' | '.join(row[:4])} | {_cell(row[4])} |" for row in rows]
    return "\n".join([*lines, "", networks, ""])


def _page(rows: Sequence[Row], sheets: Sequence[Path], title: str, description: str, networks: str) -> str:
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
<p>{html.escape(description)} Figures with 95 % confidence intervals. {html.escape(networks)}</p>
{_image(plot(rows))}
<table><thead><tr><th>group<th>split<th>stage<th>figure<th>value</tr></thead><tbody>{table}</tbody></table>
<h2>Contact sheets</h2>{pictures}</html>
"""


def _image(content: bytes) -> str:
    return f'<img alt="" src="data:image/png;base64,{base64.b64encode(content).decode()}">'
