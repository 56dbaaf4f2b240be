"""Steps against quality, stage by stage: each is given rendered input, so that it is judged alone.

Keyframes are sampled in two ways: by the preset's DDPM, which adds fresh noise at every step, and by DDIM, which adds
none. Writes docs/findings/steps.csv and docs/findings/steps.png. Run `python benchmarks/findings/steps_and_quality.py`.
"""

from __future__ import annotations

import csv
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

from diffusers import DDIMScheduler
from matplotlib.figure import Figure
from rich.progress import track
from tables import psnr
from torch import Tensor
from torch.nn import functional

from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.clip import Clip
from cascade.models.evaluation.feature_networks import FeatureNetworks
from cascade.models.evaluation.statistics import Estimate, share
from cascade.models.families.registry import load_stage
from cascade.models.families.shapes.analyser import agreement, analyse
from cascade.models.families.shapes.captions import canonical_caption
from cascade.models.families.shapes.moving_shapes import MovingShapes, Sample
from cascade.models.families.show1.keyframes import Keyframes
from cascade.models.media.renditions import as_clip
from cascade.models.presets.shapes import SHAPES
from cascade.models.presets.spec import AnyStageSpec
from cascade.models.runtime.execution import Execution
from cascade.models.stage import AnyStage, StageInputs
from cascade.workers.settings import get_settings

STEPS = {
    "keyframes": (2, 5, 10, 20, 40),
    "interpolation": (1, 2, 4, 10, 20),
    "super-resolution": (1, 2, 4, 8, 16),
    "expert-translation": (2, 4, 10, 20),
}
CLIPS = dict.fromkeys(STEPS, 12) | {"keyframes": 60}
KEYFRAME_INTERVAL = 4
SCALES = {"super-resolution": 0.25, "expert-translation": 0.5}
"""Height and width of a stage's input, as a part of its output's."""
SEED = 30_000
OUTPUT = Path("docs/findings")


@dataclass(frozen=True)
class Result:
    """One stage at a number of steps.

    Attributes:
        correct: share of clips that show all of their prompt.
        psnr: mean PSNR to the rendered clip, in dB; None for keyframes, which have no such clip.
        distance: mean perceptual distance to the rendered clip; None for keyframes.
        seconds: mean time a clip takes.
    """

    stage: str
    steps: int
    clips: int
    correct: Estimate
    psnr: float | None
    distance: float | None
    seconds: float

    @property
    def row(self) -> dict[str, str]:
        """The result as a line of the table."""
        return {
            "stage": self.stage,
            "steps": str(self.steps),
            "clips": str(self.clips),
            "all correct": f"{self.correct.value:.3f}",
            "low": f"{self.correct.low:.3f}",
            "high": f"{self.correct.high:.3f}",
            "psnr": "" if self.psnr is None else f"{self.psnr:.2f}",
            "perceptual distance": "" if self.distance is None else f"{self.distance:.4f}",
            "seconds": f"{self.seconds:.2f}",
        }


def main() -> None:
    """Measure every stage at every number of steps, and write the results."""
    networks, results = FeatureNetworks(), []
    for name, spec, stage in stages():
        for steps in STEPS[spec.name]:
            result = measure(name, replace(spec, steps=steps), stage, networks)
            results.append(result)
            sys.stdout.write(f"{result.row}\n")
    OUTPUT.mkdir(parents=True, exist_ok=True)
    write_table(results, OUTPUT / "steps.csv")
    draw(results, OUTPUT / "steps.png")


def stages() -> Iterator[tuple[str, AnyStageSpec, AnyStage]]:
    """Load the stages of the preset one by one, keyframes once more with DDIM."""
    checkpoints = Checkpoints(get_settings().checkpoints_dir)
    for spec in SHAPES.stages:
        stage = load_stage(spec, checkpoints, Execution())
        yield spec.name, spec, stage
        if isinstance(stage, Keyframes):
            stage.scheduler = DDIMScheduler.from_config(stage.scheduler.config)
            yield f"{spec.name}, DDIM", spec, stage


def measure(name: str, spec: AnyStageSpec, stage: AnyStage, networks: FeatureNetworks) -> Result:
    """Run a stage on the clips of the benchmark."""
    clips, count = MovingShapes("train", spec.frames, spec.height, spec.width, SEED), CLIPS[spec.name]
    correct, errors, distances, seconds = [], [], [], []
    for index in track(range(count), f"{name}, {spec.steps} steps"):
        sample = clips[index]
        started = time.perf_counter()
        frames = generate(stage, spec, sample, index)
        seconds.append(time.perf_counter() - started)
        correct.append(agreement(analyse(frames), sample.scene)["all_correct"])
        if spec.name != "keyframes":
            errors.append(psnr(frames, sample.frames))
            distances.append(networks.perceptual_distance(frames, sample.frames))
    return Result(
        stage=name,
        steps=spec.steps,
        clips=count,
        correct=share(correct),
        psnr=fmean(errors) if errors else None,
        distance=fmean(distances) if distances else None,
        seconds=fmean(seconds),
    )


def generate(stage: AnyStage, spec: AnyStageSpec, sample: Sample, seed: int) -> Tensor:
    """Run a stage for the caption of a sample, on its clip: (frames, 3, height, width) in [-1, 1]."""
    prompt, negative = canonical_caption(sample.scene), spec.negative_prompt
    embeddings = stage.text.encode(prompt, negative)
    inputs = StageInputs(spec, prompt, negative, embeddings, (seed,), previous_output(spec, sample))
    return as_clip(stage(inputs, lambda _k, _n: None)).frames[0].float().clamp(-1, 1)


def previous_output(spec: AnyStageSpec, sample: Sample) -> Clip | None:
    """Return what the stage before would hand over if it were perfect; None for the first stage."""
    if spec.name == "keyframes":
        return None
    if spec.name == "interpolation":
        return Clip(sample.frames[None, ::KEYFRAME_INTERVAL], spec.fps)
    low = functional.interpolate(sample.frames, scale_factor=SCALES[spec.name], mode="area")
    return Clip(low[None], spec.fps)


def write_table(results: Sequence[Result], table: Path) -> None:
    """Write a line for each result."""
    rows = [result.row for result in results]
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def draw(results: Sequence[Result], picture: Path) -> None:
    """Draw the share of correct clips with its 95 % interval, and PSNR, over the steps."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    correct_axes, psnr_axes = figure.subplots(1, 2)
    for name in dict.fromkeys(result.stage for result in results):
        part = [result for result in results if result.stage == name]
        steps = [result.steps for result in part]
        shares = [result.correct for result in part]
        below = [max(0.0, each.value - each.low) for each in shares]
        above = [max(0.0, each.high - each.value) for each in shares]
        values = [each.value for each in shares]
        correct_axes.errorbar(steps, values, [below, above], marker="o", capsize=3, label=name)
        decibels = [result.psnr for result in part if result.psnr is not None]
        if decibels:
            psnr_axes.plot(steps, decibels, marker="o", label=name)
    correct_axes.set(xscale="log", xlabel="steps", ylabel="share all correct", ylim=(0, 1.02))
    psnr_axes.set(xscale="log", xlabel="steps", ylabel="PSNR to the rendered clip (dB)")
    correct_axes.legend()
    psnr_axes.legend()
    figure.savefig(picture, dpi=80)


if __name__ == "__main__":
    main()
