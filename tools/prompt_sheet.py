"""Draw what a cascade makes of prompts in people's words on one sheet to look at.

    cascade evaluate -o report --suite people
    python tools/prompt_sheet.py report prompts.png

A row for each of 24 prompts, of every kind some: the prompt, its keyframes, and four frames of the last stage. What the analyser
found otherwise than said is noted.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from cascade.models.evaluation.run_folder import RUN, read_samples
from cascade.models.media.contact_sheet import COLUMNS, LABEL_HEIGHT, MARGIN, SMALLEST_WIDTH
from cascade.models.presets.spec import AnyStageSpec
from cascade.models.presets.table import get_preset

PROMPTS = 24
FIRST, LAST = (8, (80, 50)), (4, (128, 80))
"""Number and size of the frames that are shown of the first and of the last stage."""
TITLE_HEIGHT, GAP = 20, 4


def main(report: Path, picture: Path) -> None:
    """Draw the sheet."""
    preset = get_preset(json.loads((report / RUN).read_text())["preset"])
    rows = []
    for record in chosen(report):
        stages = [preset.stage(name) for name in record["stages"]]
        rows.append(row(report, record, stages[0], stages[-1]))
    page = Image.new("RGB", (rows[0].width, sum(one.height for one in rows)), "white")
    for index, one in enumerate(rows):
        page.paste(one, (0, index * one.height))
    page.save(picture)


def chosen(report: Path) -> Iterator[dict[str, Any]]:
    """Yield the records of up to PROMPTS prompts that have contact sheets, of all kinds in turn."""
    by_split: dict[str, list[dict[str, Any]]] = {}
    for record in read_samples(report):
        if record["kind"] == "alignment" and sheet(report, record, next(iter(record["stages"]))).is_file():
            by_split.setdefault(record["split"], []).append(record)
    turns = [record for turn in zip_longest(*by_split.values()) for record in turn if record]
    if not turns:
        raise SystemExit(f"{report} has no contact sheets of prompts")
    yield from turns[:PROMPTS]


def sheet(report: Path, record: dict[str, Any], stage: str) -> Path:
    """Return the contact sheet of a record's stage."""
    _, *split, index = record["task"].split("/")
    return report / "sheets" / f"{'-'.join(split)}-{int(index):03d}-{stage}.png"


def row(report: Path, record: dict[str, Any], first: AnyStageSpec, last: AnyStageSpec) -> Image.Image:
    """Draw one prompt."""
    shown = [(first, *FIRST), (last, *LAST)]
    width = sum(number * (size[0] + GAP) for _, number, size in shown)
    picture = Image.new("RGB", (width, TITLE_HEIGHT + LAST[1][1] + GAP), "white")
    wrong = [name for name, right in record["stages"][last.name].items() if right is False]
    note = "" if not wrong else f"   (otherwise: {', '.join(set(wrong) - {'all_correct'})})"
    ImageDraw.Draw(picture).text(
        (2, 2), record["prompt"] + note, fill="#b03a2e" if wrong else "black", font=ImageFont.load_default(13)
    )
    left = 0
    for spec, number, size in shown:
        for frame in frames(sheet(report, record, spec.name), spec, number):
            picture.paste(frame.resize(size, Image.Resampling.BILINEAR), (left, TITLE_HEIGHT))
            left += size[0] + GAP
    return picture


def frames(file: Path, spec: AnyStageSpec, number: int) -> Sequence[Image.Image]:
    """Cut `number` frames, evenly over the clip, out of the contact sheet of a stage."""
    page, scale = Image.open(file), max(1, SMALLEST_WIDTH // spec.width)
    width, height = spec.width * scale, spec.height * scale
    boxes = []
    for index in np.linspace(0, spec.frames - 1, number).round().astype(int):
        left = MARGIN + index % COLUMNS * (width + MARGIN)
        top = MARGIN + index // COLUMNS * (height + LABEL_HEIGHT + MARGIN) + LABEL_HEIGHT
        boxes.append((left, top, left + width, top + height))
    return [page.crop(box) for box in boxes]


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
