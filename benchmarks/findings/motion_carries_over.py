"""Motion customisation: a motion learned from one clip, carried over to other shapes and colours (Show-1, section 3.7).

Neither the clip's caption nor the prompts say anything of motion; with the adapter the clips should move as the one
video did, without it as they like.
Writes docs/findings/motion.csv and docs/findings/motion.png. Run `python benchmarks/findings/motion_carries_over.py`.
"""

from __future__ import annotations

import csv
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import torch
from PIL import Image
from rich.progress import Progress, track
from tables import frames_sheet
from torch import Tensor

from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.evaluation.statistics import share
from cascade.models.families.registry import load_stage
from cascade.models.families.shapes.analyser import Detection, analyse
from cascade.models.families.shapes.captions import canonical_caption
from cascade.models.families.shapes.moving_shapes import MovingShapes
from cascade.models.families.shapes.training import train_motion
from cascade.models.families.show1.motion import unpack_motion
from cascade.models.media.renditions import as_clip
from cascade.models.presets.shapes import SHAPES
from cascade.models.presets.spec import AnyStageSpec
from cascade.models.runtime.execution import Execution
from cascade.models.stage import AnyStage, StageInputs
from cascade.models.training.batch import CaptionedClip
from cascade.workers.settings import get_settings

MOTION, SOURCE_SHAPE = "moving up", "circle"
PROMPTS = [
    f"a {colour} {shape} on a {background} background"
    for shape in ("square", "triangle", "cross")
    for colour in ("blue", "green", "yellow")
    for background in ("gray", "white")
]
SHEETS = 6
"""Clips are drawn of the first prompts."""
OUTPUT = Path("docs/findings")


@dataclass(frozen=True)
class Result:
    """What a clip shows; `adapter` is with or without."""

    prompt: str
    adapter: str
    motion: str | None
    objects: tuple[str, ...]

    @classmethod
    def of(cls, prompt: str, adapter: str, detection: Detection) -> Result:
        """Name colour and shape of each object that was detected."""
        objects = tuple(f"{item.colour} {item.shape}" for item in detection.objects)
        return cls(prompt, adapter, detection.motion, objects)

    @property
    def shows_prompt(self) -> bool:
        """Whether there is one object, of the colour and shape that the prompt names."""
        return len(self.objects) == 1 and self.objects[0] in self.prompt


def main() -> None:
    """Train the adapter, generate with it and without it, and write the results."""
    spec, checkpoints = SHAPES.stage("keyframes"), Checkpoints(get_settings().checkpoints_dir)
    video = source_video(spec)
    with Progress() as bar, tempfile.TemporaryDirectory() as scratch:
        task = bar.add_task("fine-tuning the temporal attention", total=None)
        content = train_motion(
            spec,
            checkpoints,
            video,
            Path(scratch),
            lambda progress: bar.update(task, completed=progress.step, total=progress.steps),
        )
    adapter = unpack_motion(content)
    stage = load_stage(spec, checkpoints, Execution())
    sheets, results = [frames_sheet(video.frames)], []
    for seed, prompt in enumerate(track(PROMPTS, "prompts")):
        for name, motion in (("without", None), ("with", adapter)):
            frames = generate(stage, spec, prompt, seed, motion)
            results.append(Result.of(prompt, name, analyse(frames)))
            if seed < SHEETS:
                sheets.append(frames_sheet(frames))
    OUTPUT.mkdir(parents=True, exist_ok=True)
    write_results(results, OUTPUT / "motion.csv")
    stack(sheets).save(OUTPUT / "motion.png")


def source_video(spec: AnyStageSpec) -> CaptionedClip:
    """Return a rendered clip of a circle with the motion to learn, and a caption that does not mention the motion."""
    clips = MovingShapes("train", spec.frames, spec.height, spec.width, 40_000)
    sample = next(
        sample
        for sample in (clips[index] for index in range(10_000))
        if sample.scene.second is None and (sample.scene.motion, sample.scene.shape) == (MOTION, SOURCE_SHAPE)
    )
    return CaptionedClip(sample.frames, canonical_caption(sample.scene).replace(f" {MOTION}", ""))


def generate(
    stage: AnyStage, spec: AnyStageSpec, prompt: str, seed: int, motion: Mapping[str, Tensor] | None
) -> Tensor:
    """Generate keyframes with an adapter, or without one: (frames, 3, height, width) in [-1, 1]."""
    embeddings = stage.text.encode(prompt, "")
    inputs = StageInputs(spec, prompt, "", embeddings, (seed,), motion=motion)
    return as_clip(stage(inputs, lambda _k, _n: None)).frames[0].clamp(-1, 1)


def write_results(results: Sequence[Result], table: Path) -> None:
    """Write a row for each clip; print the shares with the adapter and without it."""
    for name in ("without", "with"):
        part = [result for result in results if result.adapter == name]
        moving = share([result.motion == MOTION for result in part])
        as_asked = share([result.shows_prompt for result in part])
        sys.stdout.write(
            f"{name} the adapter: {moving.value:.0%} {MOTION}, {as_asked.value:.0%} of the prompt's colour and shape\n"
        )
    with table.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("prompt", "adapter", "motion read", "things read"))
        writer.writerows((*astuple(result)[:3], " and ".join(result.objects)) for result in results)


def stack(sheets: Sequence[Image.Image]) -> Image.Image:
    """Put pictures below each other."""
    page = Image.new(
        "RGB", (max(sheet.width for sheet in sheets), sum(sheet.height for sheet in sheets)), "white"
    )
    top = 0
    for sheet in sheets:
        page.paste(sheet, (0, top))
        top += sheet.height
    return page


if __name__ == "__main__":
    torch.manual_seed(0)
    main()
