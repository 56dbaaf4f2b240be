"""The figures and tables that the documentation takes from elsewhere; `fill_docs.py` writes them into the pages."""

from __future__ import annotations

import ast
import csv
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import sqrt
from pathlib import Path

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
REPORT, PEOPLE, DIVERSITY = (f"training/{name}.json" for name in ("report", "people", "diversity"))
"""The reports of the shipped weights: suites shapes, people and diversity."""
Z_95 = 1.959964
DASH = "\N{EN DASH}"
Row = Mapping[str, str]


@dataclass(frozen=True)
class Figure:
    """A figure with its 95 % interval; a share in [0, 1], or a value in its own unit."""

    value: float
    low: float
    high: float
    count: int

    @property
    def percent(self) -> str:
        return f"{100 * self.value:.1f}".removesuffix(".0") + " %"

    @property
    def count_of(self) -> str:
        return f"{self.value * self.count:.0f} of {self.count}"

    @property
    def interval(self) -> str:
        return f"({100 * self.low:.0f}{DASH}{100 * self.high:.0f})"

    @property
    def with_interval(self) -> str:
        return f"{self.percent} {self.interval}"

    @property
    def decibels(self) -> str:
        return f"{self.value:.1f} dB"

    @property
    def thousandths(self) -> str:
        return f"{self.value:.3f}"

    @property
    def between(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f}{DASH}{self.high:.3f})"


FORMATS: Mapping[str, Callable[[Figure], str]] = {
    "percent": lambda figure: figure.percent,
    "count": lambda figure: figure.count_of,
    "interval": lambda figure: figure.interval,
    "decibels": lambda figure: figure.decibels,
    "thousandths": lambda figure: figure.thousandths,
}


def figure(name: str) -> str:
    """Return a figure as text. `name` is a CSV and a row, or a report, a row in four words, and a format."""
    file, *words = name.split(maxsplit=1)
    if file.endswith(".json"):
        group, split, stage, rest = words[0].split(maxsplit=3)
        row, _, form = rest.rpartition(" ")
        return FORMATS[form](report_figure(group, split, stage, row, file))
    return {row["name"]: row["value"] for row in table(file)}[words[0]]


@cache
def _report(file: str) -> Mapping[tuple[str, str, str, str], Figure]:
    rows = json.loads((DOCS / file).read_text())["rows"]
    return {
        (row["group"], row["split"], row["stage"], row["figure"]): Figure(
            row["value"], row["low"], row["high"], row["count"]
        )
        for row in rows
    }


def report_figure(group: str, split: str, stage: str, name: str, file: str = REPORT) -> Figure:
    """Return a figure of a report of the shipped weights."""
    return _report(file)[group, split, stage, name]


@cache
def table(file: str) -> Sequence[Row]:
    """Read a CSV below docs/."""
    with (DOCS / file).open(newline="") as lines:
        return list(csv.DictReader(lines))


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def settings() -> str:
    """Return all settings with default and meaning."""
    from cascade.service.cli.settings_table import settings_table

    return settings_table()


def alignment() -> str:
    """Return what clips of the shipped weights show of their prompts."""
    names = {
        "background": "background",
        "colour": "colour",
        "shape": "shape",
        "motion": "motion of one object",
        "relation": "relation of two objects",
        "all_correct": "**all correct**",
    }
    columns = [
        (split, stage) for split in ("train", "held-out") for stage in ("keyframes", "expert-translation")
    ]
    head = ["", "keyframes, seen", "last stage, seen", "keyframes, held out", "last stage, held out"]
    return markdown(
        head,
        [
            [
                title,
                *(report_figure("alignment", split, stage, name).with_interval for split, stage in columns),
            ]
            for name, title in names.items()
        ],
    )


def restoration() -> str:
    """Return how well the shipped weights restore rendered clips, beside the plain methods."""
    rows = [
        ("interpolation", "psnr", "PSNR, mean of the clips", "decibels", "linear blending"),
        ("interpolation", "psnr of all together", "PSNR of all together", "decibels", "linear blending"),
        ("interpolation", "lpips", "LPIPS-like distance", "thousandths", "linear blending"),
        ("super-resolution", "psnr", "PSNR, mean of the clips", "decibels", "bicubic"),
        ("super-resolution", "lpips", "LPIPS-like distance", "thousandths", "bicubic"),
        ("super-resolution", "ssim", "SSIM", "thousandths", "bicubic"),
    ]
    lines = []
    for stage, name, title, form, plain in rows:
        both = [
            report_figure("reconstruction", "held-out", stage, f"{name} ({side})")
            for side in ("stage", "plain")
        ]
        ours, theirs = (FORMATS[form](one) for one in both)
        lines.append([f"{stage}: {title}", ours, f"{theirs} ({plain})"])
    count = report_figure("reconstruction", "held-out", "super-resolution", "psnr (stage)").count
    return markdown([f"on {count} held-out rendered clips", "stage", "plain method"], lines)


def outlines() -> str:
    """Return how clean and steady the outlines of the shipped weights' clips are, by stage."""
    names = {
        "overlap": "overlap with the ideal shape",
        "overlap_cross": "the same, of crosses",
        "boil": "overlap with the first frame, mean",
        "boil_worst": "the same, worst frame",
        "size_residual": "size beside a straight line",
        "colour_flicker": "flicker of the colour, levels of 255",
        "background_flicker": "flicker of the background, levels of 255",
        "edge_softness": "width of the edges, rendered ones 1",
    }
    stages = list(dict.fromkeys(stage for group, _, stage, _ in _report(REPORT) if group == "alignment"))
    lines = [
        [title, *(report_figure("alignment", "train", stage, name).between for stage in stages)]
        for name, title in names.items()
    ]
    return markdown(["seen combinations", *stages], lines)


def people() -> str:
    """Return how many prompts in people's words are all correct, by kind, and of how many the preset warns."""
    rows = _report(PEOPLE)
    stages = list(dict.fromkeys(stage for group, _, stage, _ in rows if group == "alignment"))
    splits = list(dict.fromkeys(split for group, split, _, _ in rows if group == "warning"))
    ends = list(dict.fromkeys((stages[0], stages[-1])))
    lines = []
    for split in splits:
        shares = [rows.get(("alignment", split, stage, "all_correct")) for stage in ends]
        warned = rows["warning", split, "prompt", "warned"]
        cells = ["" if one is None else f"{one.count_of}, {one.with_interval}" for one in shares]
        title = "all of these" if split == "people" else split.removeprefix("people/")
        lines.append([title, *cells, warned.count_of])
    return markdown(["prompts", *(f"all correct, {stage}" for stage in ends), "warned of"], lines)


def diversity() -> str:
    """Return how far places, sizes and speeds of 30 seeds are from the data's."""
    rows = _report(DIVERSITY)
    lines = []
    for name in ("x", "y", "size", "speed"):
        (stage,) = {key[2] for key in rows if key[0] == "spread" and key[1] == "all prompts"}
        figures = (f"distance of {name} (stage)", f"distance of {name} (data)", f"spread of {name} (stage)")
        lines.append([name, *(rows["spread", "all prompts", stage, one].between for one in figures)])
    return markdown(["", "distance from the data", "of drawn scenes", "spread, the data's is 1"], lines)


def super_resolution_windows() -> str:
    """Compare two recipes of super-resolution, with and without the frame before."""
    rows = table("training/super_resolution_windows.csv")
    cells = [
        [row["method"], *(f"{row[f'PSNR {c}']} dB, {row[f'distance {c}']}" for c in ("with", "without"))]
        for row in rows
    ]
    return markdown(
        ["window of 8 frames of 10 held-out clips", "true frame before", "no frame before"], cells
    )


def pixel_or_latent() -> str:
    """Compare keyframes in pixels and in latents, on 96 prompts, 31 of them with a relation."""
    titles = {"latent": "latent, f = 8"}
    lines = []
    for name in ("pixel", "latent", "rendered, through the autoencoder"):
        row = next(row for row in table("findings/pixel_or_latent.csv") if row["keyframes"] == name)
        shares = [share(float(row[column]), 96) for column in ("background", "colour", "shape")]
        shares.append(share(float(row["relation"]), 31))
        cells = (f"{100 * one.value:.0f} % {one.interval}" for one in shares)
        lines.append([titles.get(name, name), *cells])
    return markdown(["keyframes", "background", "colour", "shape", "relation"], lines)


def upsamplers() -> str:
    """Compare ways to the last resolution, on 8 clips."""
    order = (
        "bicubic",
        "concatenation",
        "changed input, 0.8",
        "changed input, expert, 0.8",
        "changed input, 0.3",
        "changed input, expert, 0.3",
    )
    rows = {row["upsampler"]: row for row in table("findings/upsamplers.csv")}
    lines = []
    for name in order:
        row = rows[name]
        fvd = float(row["FVD (small network)"])
        lines.append(
            [
                "bicubic resizing" if name == "bicubic" else name,
                f"{8 * float(row['all correct']):.0f} of 8",
                f"{float(row['PSNR']):.1f} dB",
                f"{float(row['perceptual distance']):.3f}",
                f"{fvd:.3f}" if fvd < 0.1 else f"{fvd:.1f}",
                f"{float(row['text-video similarity']):.2f}",
            ]
        )
    head = ["upsampler", "all correct", "PSNR", "perceptual distance", "FVD", "text-video similarity"]
    return markdown(head, lines)


def steps_keyframes() -> str:
    """Return the share of prompts all correct, by sampler and steps; the preset's steps in bold."""
    rows = table("findings/steps.csv")
    lines = []
    for title, stage in (("DDPM", "keyframes"), ("DDIM", "keyframes, DDIM")):
        cells = []
        for row in (row for row in rows if row["stage"] == stage):
            low, high = (f"{100 * float(row[end]):.0f}" for end in ("low", "high"))
            value = f"{100 * float(row['all correct']):.0f} %"
            bold = title == "DDPM" and row["steps"] == "20"
            cells.append(f"{f'**{value}**' if bold else value} ({low}{DASH}{high})")
        lines.append([title, *cells])
    return markdown(["keyframes, all correct", "2 steps", "5", "10", "20", "40"], lines)


def steps_psnr() -> str:
    """Return the PSNR of the later stages by steps; the preset's steps in bold."""
    columns = [("1",), ("2",), ("4",), ("8", "10"), ("16", "20")]
    presets = {"interpolation": "4", "super-resolution": "2", "expert-translation": "10"}
    titles = {"expert-translation": "expert translation, strength 0.3"}
    rows = {(row["stage"], row["steps"]): row["psnr"] for row in table("findings/steps.csv")}
    lines = []
    for stage, steps_of_preset in presets.items():
        cells = []
        for steps in columns:
            key = next((one for one in steps if (stage, one) in rows), None)
            value = f"{float(rows[stage, key]):.1f} dB" if key else ""
            cells.append(f"**{value}**" if key == steps_of_preset else value)
        lines.append([titles.get(stage, stage), *cells])
    return markdown(["PSNR", "1 step", "2", "4", "8 or 10", "16 or 20"], lines)


def motion() -> str:
    """Count the clips that take over the motion, and those that keep what the prompt asks for."""
    rows = table("findings/motion.csv")
    lines = []
    for adapter in ("without", "with"):
        clips = [row for row in rows if row["adapter"] == adapter]
        moving = sum(row["motion read"] == "moving up" for row in clips)
        # The prompts are "a COLOUR SHAPE on a ...".
        asked = sum(row["prompt"].startswith(f"a {row['things read']} ") for row in clips)
        lines.append([f"{adapter} the adapter", f"{moving} of {len(clips)}", f"{asked} of {len(clips)}"])
    return markdown(["", "moving up", "of the shape and colour in the prompt"], lines)


def temporal_attention() -> str:
    """Return time and memory of temporal attention by the number of frames, forward with backward."""
    kinds = ("first-adjacent", "full", "full, fused kernel")
    rows = {
        (row["kind"], row["frames"]): row
        for row in table("findings/temporal_attention.csv")
        if (row["part"], row["passes"]) == ("attention", "forward and backward")
    }
    lines = []
    for frames in dict.fromkeys(frames for _, frames in rows):
        cells = [
            f"{1000 * float(row['seconds']):.0f} ms, {int(row['peak_bytes']) / 2**20:.0f} MiB"
            for row in (rows[kind, frames] for kind in kinds)
        ]
        lines.append([frames, *cells])
    return markdown(["frames", *kinds], lines)


def family_files(family: str) -> str:
    """Return the table of a family's `__init__`, section of the paper and files, with whole paths."""
    room = f"models/families/{family}"
    doc = ast.get_docstring(ast.parse((ROOT / room / "__init__.py").read_text())) or ""
    lines = [line for line in doc.splitlines() if line.startswith("|")]
    return re.sub(r"`(\w+\.py)`", rf"`{room}/\1`", "\n".join(lines))


def share(value: float, count: int) -> Figure:
    """Return a share with its 95 % interval (Wilson's score interval)."""
    centre = (value + Z_95**2 / (2 * count)) / (1 + Z_95**2 / count)
    half = Z_95 * sqrt(value * (1 - value) / count + Z_95**2 / (4 * count**2)) / (1 + Z_95**2 / count)
    return Figure(value, centre - half, centre + half, count)


def planning_real_line() -> str:
    """Return throughput and latency of real lines, and of their simulations."""
    head = ["", "jobs", "jobs/s, real", "simulated", "error", "P95, real", "simulated", "error"]
    return markdown(
        head,
        [
            [
                row["scenario"],
                row["jobs"],
                *_beside(row, "throughput", ".2f", ""),
                *_beside(row, "p95", ".2f", " s"),
            ]
            for row in table("planning/real_line.csv")
        ],
    )


def _beside(row: Row, figure: str, form: str, unit: str) -> list[str]:
    """Return a figure of a real line, of its simulation, and the relative error."""
    values = [f"{float(row[f'{figure}_{source}']):{form}}{unit}" for source in ("real", "simulated")]
    return [*values, f"{100 * float(row[f'{figure}_error']):+.1f} %"]


def planning_scale() -> str:
    """Return plans for more and more jobs a day."""
    rows = table("planning/scale.csv")
    queues = [name for name in rows[0] if "." in name]
    head = [
        *("", "jobs a day", *(queue.partition(".")[2] for queue in queues), "price/h", "least that keeps up"),
        *("P95 films", "drafts"),
    ]
    return markdown(
        head,
        [
            [
                row["conditions"],
                f"{int(row['jobs_per_day']):,}",
                *(row[queue] for queue in queues),
                *(f"{float(row[name]):.2f}" for name in ("price_per_hour", "least_price_per_hour")),
                *(f"{float(row[name]):.0f} s" for name in ("film_p95_s", "draft_p95_s")),
            ]
            for row in rows
        ],
    )


TABLES: Mapping[str, Callable[[], str]] = {
    "settings": settings,
    "files-show1": lambda: family_files("show1"),
    "files-shapes": lambda: family_files("shapes"),
    "files-first_adjacent": lambda: family_files("first_adjacent"),
    "files-latent_diffusion": lambda: family_files("latent_diffusion"),
    "alignment": alignment,
    "restoration": restoration,
    "outlines": outlines,
    "people": people,
    "diversity": diversity,
    "super-resolution-windows": super_resolution_windows,
    "pixel-or-latent": pixel_or_latent,
    "upsamplers": upsamplers,
    "steps-keyframes": steps_keyframes,
    "steps-psnr": steps_psnr,
    "motion": motion,
    "planning-real-line": planning_real_line,
    "planning-scale": planning_scale,
    "temporal-attention": temporal_attention,
}
