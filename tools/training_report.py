"""Put what a training of `shapes` leaves to look at into a folder: its losses, and what the trained cascade shows.

    cascade train all -o runs/shapes && cascade evaluate -o report --suite shapes
    cascade evaluate -o people --suite people && cascade evaluate -o diversity --suite diversity
    python tools/training_report.py runs/shapes report docs/training people diversity

Writes into the folder a CSV of each part's losses, losses.png, report.json, report.md, and prompts.png: twelve prompts of
training combinations. With `-` for the report, the losses alone. Of further reports it writes the JSON and Markdown by the name
of their folder, with people.png, a sheet of 24 prompts, and diversity.png, places and sizes beside the data's.
"""

from __future__ import annotations

import csv
import shutil
import sys
from pathlib import Path
from typing import Any

import prompt_sheet
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont

from cascade.models.evaluation.run_folder import read_samples
from cascade.models.presets.shapes import SHAPES
from cascade.models.train import trainable_parts

SPLIT = "train"
PROMPTS = 12
TITLE_HEIGHT, GAP = 22, 8
FIRST_FRAME = (4, 16, 260, 176)
"""Where a contact sheet of 256x160 has its first frame."""


def main(runs: Path, report: Path, folder: Path, *others: Path) -> None:
    """Write all files."""
    folder.mkdir(exist_ok=True)
    write_losses(runs, folder)
    if str(report) != "-":
        for name in ("report.json", "report.md"):
            shutil.copyfile(report / name, folder / name)
        draw_prompts(report, folder / "prompts.png")
    for other in others:
        for ending in ("json", "md"):
            shutil.copyfile(other / f"report.{ending}", folder / f"{other.name}.{ending}")
        if (other / "sheets" / "spread.png").is_file():
            shutil.copyfile(other / "sheets" / "spread.png", folder / f"{other.name}.png")
        else:
            prompt_sheet.main(other, folder / f"{other.name}.png")


def write_losses(runs: Path, folder: Path) -> None:
    """Copy the losses of each part, and draw them."""
    figure = Figure(figsize=(12, 5), layout="constrained")
    for axes, part in zip(figure.subplots(2, 3).flat, trainable_parts(SHAPES.name), strict=False):
        table = folder / f"{part}.csv"
        shutil.copyfile(runs / part / "loss.csv", table)
        with table.open(newline="") as file:
            rows = list(csv.DictReader(file))
        axes.plot([int(row["step"]) for row in rows], [float(row["loss"]) for row in rows], color="#2a7f9e")
        axes.set(title=part, yscale="log", xlabel="step", ylabel="loss")
        axes.grid(visible=True, alpha=0.3, which="both")
    figure.axes[-1].set_visible(False)
    figure.savefig(folder / "losses.png", dpi=80)


def draw_prompts(report: Path, picture: Path) -> None:
    """Draw the strips of the first prompts below each other."""
    records = sorted(read_samples(report), key=lambda record: int(record["task"].rpartition("/")[2]))
    aligned = [record for record in records if record["task"].startswith(f"alignment/{SPLIT}/")]
    strips = [strip(report / "sheets", record, index) for index, record in enumerate(aligned[:PROMPTS])]
    page = Image.new("RGB", (strips[0].width, sum(one.height for one in strips)), "white")
    for index, one in enumerate(strips):
        page.paste(one, (0, index * one.height))
    page.save(picture)


def strip(sheets: Path, record: dict[str, Any], index: int) -> Image.Image:
    """Draw a prompt, its keyframes, and the first frame of the last stage to their right."""
    first, last = SHAPES.stage_names[0], SHAPES.stage_names[-1]
    keyframes = Image.open(sheets / f"{SPLIT}-{index:03d}-{first}.png")
    frame = Image.open(sheets / f"{SPLIT}-{index:03d}-{last}.png").crop(FIRST_FRAME)
    frame = frame.resize((frame.width * keyframes.height // frame.height, keyframes.height))
    size = (keyframes.width + GAP + frame.width, TITLE_HEIGHT + keyframes.height)
    picture = Image.new("RGB", size, "white")
    misread = [stage for stage, figures in record["stages"].items() if not figures["all_correct"]]
    title = record["prompt"] + (f"   (misread: {', '.join(misread)})" if misread else "")
    ImageDraw.Draw(picture).text((4, 4), title, fill="black", font=ImageFont.load_default(14))
    picture.paste(keyframes, (0, TITLE_HEIGHT))
    picture.paste(frame, (keyframes.width + GAP, TITLE_HEIGHT))
    return picture


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
