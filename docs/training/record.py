"""Keeps here what a training of `shapes` leaves to look at: its losses, and what the trained cascade shows.

    cascade train all -o runs/shapes && cascade evaluate -o report --suite shapes
    python docs/training/record.py runs/shapes report docs/training

Writes into the folder a CSV of each stage's losses, losses.png, report.md, and prompts.png: twelve prompts of seen
combinations. With `-` for the report, the losses alone.
"""

from __future__ import annotations

import csv
import json
import shutil
import sys
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont

STAGES = ("keyframes", "interpolation", "super-resolution", "autoencoder", "expert-translation")
PROMPTS = 12
TITLE_HEIGHT, GAP = 22, 8
LAST_FRAME = (4, 16, 260, 176)
"""Where a contact sheet of 256x160 has its first frame."""


def keep_losses(runs: Path, folder: Path) -> None:
    figure = Figure(figsize=(12, 5), layout="constrained")
    for axes, stage in zip(figure.subplots(2, 3).flat, STAGES, strict=False):
        table = folder / f"{stage}.csv"
        shutil.copyfile(runs / stage / "loss.csv", table)
        with table.open(newline="") as file:
            rows = list(csv.DictReader(file))
        axes.plot([int(row["step"]) for row in rows], [float(row["loss"]) for row in rows], color="#2a7f9e")
        axes.set(title=stage, yscale="log", xlabel="step", ylabel="loss")
        axes.grid(visible=True, alpha=0.3, which="both")
    figure.axes[-1].set_visible(False)
    figure.savefig(folder / "losses.png", dpi=80)


def keep_prompts(report: Path, folder: Path) -> None:
    records = [json.loads(line) for line in (report / "samples.jsonl").read_text().splitlines()]
    seen = [record for record in records if record["task"].startswith("alignment/train/")]
    strips = [strip(report / "sheets", record, index) for index, record in enumerate(seen[:PROMPTS])]
    page = Image.new("RGB", (strips[0].width, sum(one.height for one in strips)), "white")
    for index, one in enumerate(strips):
        page.paste(one, (0, index * one.height))
    page.save(folder / "prompts.png")


def strip(sheets: Path, record: dict[str, Any], index: int) -> Image.Image:
    """A prompt, its keyframes, and the first frame of the last stage at their right."""
    keyframes = Image.open(sheets / f"train-{index:03d}-keyframes.png")
    last = Image.open(sheets / f"train-{index:03d}-expert-translation.png").crop(LAST_FRAME)
    last = last.resize((last.width * keyframes.height // last.height, keyframes.height))
    size = (keyframes.width + GAP + last.width, TITLE_HEIGHT + keyframes.height)
    drawn = Image.new("RGB", size, "white")
    wrong = [stage for stage, read in record["stages"].items() if not read["all_correct"]]
    title = record["prompt"] + (f"   (misread: {', '.join(wrong)})" if wrong else "")
    ImageDraw.Draw(drawn).text((4, 4), title, fill="black", font=ImageFont.load_default(14))
    drawn.paste(keyframes, (0, TITLE_HEIGHT))
    drawn.paste(last, (keyframes.width + GAP, TITLE_HEIGHT))
    return drawn


if __name__ == "__main__":
    runs, report, target = map(Path, sys.argv[1:4])
    target.mkdir(exist_ok=True)
    keep_losses(runs, target)
    if str(report) != "-":
        shutil.copyfile(report / "report.md", target / "report.md")
        keep_prompts(report, target)
