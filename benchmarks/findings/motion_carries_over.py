"""Motion customisation: a motion learned from one clip, carried over to other shapes and colours (Show-1, section 3.7).

Neither the clip's caption nor the prompts say anything of motion; with the adapter the clips should move as the one
video did, without it as they like.
Writes docs/findings/motion.csv and docs/findings/motion.png. Run `python benchmarks/findings/motion_carries_over.py`.
"""

from __future__ import annotations

import csv
import sys
import tempfile
from pathlib import Path

import torch
from PIL import Image
from rich.progress import Progress, track

from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.evaluation.statistics import share
from cascade.models.families.registry import load_stage
from cascade.models.families.shapes.analyser import analyse
from cascade.models.families.shapes.moving_shapes import MovingShapes, canonical_caption
from cascade.models.families.show1.motion import unpack_motion
from cascade.models.families.show1.motion_training import OneVideo, train_motion
from cascade.models.media.contact_sheet import contact_sheet
from cascade.models.presets.table import SHAPES
from cascade.models.runtime.execution import Execution
from cascade.models.stage import StageInputs
from cascade.workers.settings import get_settings

MOTION, SOURCE_SHAPE = "moving up", "circle"
PROMPTS = [
    f"a {colour} {shape} on a {background} background"
    for shape in ("square", "triangle", "cross")
    for colour in ("blue", "green", "yellow")
    for background in ("gray", "white")
]
OUTPUT = Path("docs/findings")


def source() -> OneVideo:
    """One rendered clip of a circle that moves so, with a caption that does not say it."""
    clips = MovingShapes("train", 8, 20, 32, 40_000)
    sample = next(
        sample
        for sample in (clips[index] for index in range(10_000))
        if sample.scene.second is None and (sample.scene.motion, sample.scene.shape) == (MOTION, SOURCE_SHAPE)
    )
    return OneVideo(sample.frames, canonical_caption(sample.scene).replace(f" {MOTION}", ""))


def main() -> None:
    spec, checkpoints, video = (
        SHAPES.stages[0],
        Checkpoints(get_settings().checkpoints_dir),
        source(),
    )
    with Progress() as bar, tempfile.TemporaryDirectory() as scratch:
        task = bar.add_task("fine-tuning the temporal attention", total=None)
        adapter = unpack_motion(
            train_motion(
                spec,
                checkpoints,
                video,
                Path(scratch),
                lambda p: bar.update(task, completed=p.step, total=p.steps),
            )
        )
    stage = load_stage(spec, checkpoints, Execution())
    sheets = [contact_sheet(((video.frames.permute(0, 2, 3, 1) + 1) * 127.5).round().byte())]
    rows = []
    moved: dict[str, list[bool]] = {"without": [], "with": []}
    kept: dict[str, list[bool]] = {"without": [], "with": []}
    for seed, prompt in enumerate(track(PROMPTS, "prompts")):
        for name, motion in (("without", None), ("with", adapter)):
            embeddings = stage.text.encode(prompt, "")
            inputs = StageInputs(spec, prompt, "", embeddings, (seed,), motion=motion)
            clip = stage(inputs, lambda *_: None)
            reading = analyse(clip.frames[0].clamp(-1, 1))
            shown = [f"{thing.colour} {thing.shape}" for thing in reading.things]
            moved[name].append(reading.motion == MOTION)
            kept[name].append(len(shown) == 1 and shown[0] in prompt)
            rows.append((prompt, name, reading.motion, " and ".join(shown)))
            if seed < 6:
                sheets.append(contact_sheet(clip.to_uint8()[0]))
    for name in moved:
        said = f"{name} the adapter: {share(moved[name])} {MOTION}, {share(kept[name])} of the asked shape and colour\n"
        sys.stdout.write(said)
    OUTPUT.mkdir(parents=True, exist_ok=True)
    with (OUTPUT / "motion.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("prompt", "adapter", "motion read", "things read"))
        writer.writerows(rows)
    height = sum(sheet.height for sheet in sheets)
    page = Image.new("RGB", (max(sheet.width for sheet in sheets), height), "white")
    for index, sheet in enumerate(sheets):
        page.paste(sheet, (0, sum(other.height for other in sheets[:index])))
    page.save(OUTPUT / "motion.png")


if __name__ == "__main__":
    torch.manual_seed(0)
    main()
