"""Steps against quality, stage by stage: each is given rendered input, so that it is judged alone.

Keyframes are sampled in two ways: by the preset's DDPM, which adds fresh noise at every step, and by DDIM, which adds
none. Writes docs/findings/steps.csv and docs/findings/steps.png. Run `python benchmarks/findings/steps_and_quality.py`.
"""

from __future__ import annotations

import csv
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import torch
from diffusers import DDIMScheduler
from matplotlib.figure import Figure
from rich.progress import track
from torch import Tensor
from torch.nn import functional

from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.clip import Clip
from cascade.models.evaluation.feature_networks import FeatureNetworks
from cascade.models.evaluation.statistics import share
from cascade.models.families.registry import load_stage
from cascade.models.families.shapes.analyser import agrees, analyse
from cascade.models.families.shapes.moving_shapes import MovingShapes, Sample, canonical_caption
from cascade.models.families.show1.keyframes import Keyframes
from cascade.models.presets.table import SHAPES, StageKind, StageSpec
from cascade.models.runtime.execution import Execution
from cascade.models.stage import Stage, StageInputs
from cascade.workers.settings import get_settings

STEPS = {
    StageKind.KEYFRAMES: (2, 5, 10, 20, 40),
    StageKind.INTERPOLATION: (1, 2, 4, 10, 20),
    StageKind.SUPER_RESOLUTION: (1, 2, 4, 8, 16),
    StageKind.EXPERT_TRANSLATION: (2, 4, 10, 20),
}
CLIPS = dict.fromkeys(STEPS, 12) | {StageKind.KEYFRAMES: 60}
SEED = 30_000
OUTPUT = Path("docs/findings")


def given(kind: StageKind, sample: Sample, spec: StageSpec) -> Clip | None:
    """What the stage before would give if it were perfect."""
    if kind == StageKind.KEYFRAMES:
        return None
    if kind == StageKind.INTERPOLATION:
        return Clip(sample.frames[None, ::4], spec.fps)
    scale = 0.25 if kind == StageKind.SUPER_RESOLUTION else 0.5
    return Clip(functional.interpolate(sample.frames, scale_factor=scale, mode="area")[None], spec.fps)


def run(stage: Stage, spec: StageSpec, sample: Sample, seed: int) -> tuple[Tensor, float]:
    prompt = canonical_caption(sample.scene)
    embeddings = stage.text.encode(prompt, spec.negative_prompt)
    inputs = StageInputs(
        spec, prompt, spec.negative_prompt, embeddings, (seed,), given(spec.kind, sample, spec)
    )
    started = time.perf_counter()
    frames = stage(inputs, lambda *_: None).frames[0].float().clamp(-1, 1)
    return frames, time.perf_counter() - started


def stages() -> Iterator[tuple[str, StageSpec, Stage]]:
    """The stages of the preset, and keyframes once more by DDIM."""
    checkpoints = Checkpoints(get_settings().checkpoints_dir)
    for spec in SHAPES.stages:
        stage = load_stage(spec, checkpoints, Execution())
        yield str(spec.kind), spec, stage
        if isinstance(stage, Keyframes):
            stage.scheduler = DDIMScheduler.from_config(stage.scheduler.config)
            yield f"{spec.kind}, DDIM", spec, stage


def main() -> None:
    networks, rows = FeatureNetworks(), []
    for name, spec, stage in stages():
        clips, count = MovingShapes("train", spec.frames, spec.height, spec.width, SEED), CLIPS[spec.kind]
        for steps in STEPS[spec.kind]:
            right, errors, distances, seconds = [], [], [], []
            for index in track(range(count), f"{name}, {steps} steps"):
                sample = clips[index]
                frames, took = run(stage, replace(spec, steps=steps), sample, index)
                right.append(agrees(analyse(frames), sample.scene)["all_correct"])
                seconds.append(took)
                if spec.kind != StageKind.KEYFRAMES:
                    errors.append(-10 * torch.log10((frames - sample.frames).square().mean() / 4).item())
                    distances.append(networks.perceptual_distance(frames, sample.frames))
            correct = share(right)
            rows.append(
                {
                    "stage": name,
                    "steps": steps,
                    "clips": count,
                    "all correct": f"{correct.value:.3f}",
                    "low": f"{correct.low:.3f}",
                    "high": f"{correct.high:.3f}",
                    "psnr": f"{fmean(errors):.2f}" if errors else "",
                    "perceptual distance": f"{fmean(distances):.4f}" if distances else "",
                    "seconds": f"{fmean(seconds):.2f}",
                }
            )
            sys.stdout.write(f"{rows[-1]}\n")
    write(rows)


def write(rows: list[dict[str, object]]) -> None:
    OUTPUT.mkdir(parents=True, exist_ok=True)
    with (OUTPUT / "steps.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    figure = Figure(figsize=(10, 4), layout="constrained")
    correct, psnr = figure.subplots(1, 2)
    for name in dict.fromkeys(str(row["stage"]) for row in rows):
        of_stage = [row for row in rows if row["stage"] == name]
        steps = [row["steps"] for row in of_stage]
        shares = [float(str(row["all correct"])) for row in of_stage]
        errors = [
            [max(0.0, value - float(str(row["low"]))) for value, row in zip(shares, of_stage, strict=True)],
            [max(0.0, float(str(row["high"])) - value) for value, row in zip(shares, of_stage, strict=True)],
        ]
        correct.errorbar(steps, shares, errors, marker="o", capsize=3, label=name)
        if of_stage[0]["psnr"]:
            psnr.plot(steps, [float(str(row["psnr"])) for row in of_stage], marker="o", label=name)
    correct.set(xscale="log", xlabel="steps", ylabel="share all correct", ylim=(0, 1.02))
    psnr.set(xscale="log", xlabel="steps", ylabel="PSNR to the rendered clip (dB)")
    correct.legend()
    psnr.legend()
    figure.savefig(OUTPUT / "steps.png", dpi=80)


if __name__ == "__main__":
    main()
