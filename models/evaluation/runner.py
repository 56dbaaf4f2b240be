"""Runs a suite: makes videos of prompts and reads them, restores rendered clips and compares them.

Every sample is one line of JSON beside the report, so that a run that was cut goes on behind the last one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

from models.checkpoints import Checkpoints
from models.clip import Clip
from models.contact_sheet import contact_sheet
from models.evaluation.analyser import agrees, analyse
from models.evaluation.suites import Suite
from models.execution import Execution
from models.presets import InterpolationOptions, Preset, StageKind, StageSpec
from models.stage import Stage, StageInputs
from models.stages import load_stage
from models.training.moving_shapes import MovingShapes, Sample, canonical_caption

SHEETS = 12
SAMPLES = "samples.jsonl"
RESTORED = (StageKind.INTERPOLATION, StageKind.SUPER_RESOLUTION)


@dataclass(frozen=True)
class Task:
    """One sample of a suite: `kind` is alignment or reconstruction."""

    kind: str
    split: str
    index: int

    @property
    def name(self) -> str:
        return f"{self.kind}/{self.split}/{self.index}"


@dataclass
class Evaluation:
    """One preset's cascade under evaluation, all its stages loaded."""

    preset: Preset
    suite: Suite
    folder: Path
    stages: dict[StageKind, Stage]

    @classmethod
    def load(
        cls, preset: Preset, suite: Suite, folder: Path, checkpoints: Checkpoints, execution: Execution
    ) -> Evaluation:
        stages = {spec.kind: load_stage(spec, checkpoints, execution) for spec in preset.stages}
        return cls(preset, suite, folder, stages)

    def run(self, report: Callable[[int, int], None]) -> list[dict[str, Any]]:
        """Do what is left of the suite; every sample's record, those of an earlier run included."""
        (self.folder / "sheets").mkdir(parents=True, exist_ok=True)
        records = list(read_samples(self.folder))
        done = {record["task"] for record in records}
        tasks = list(self._tasks())
        with (self.folder / SAMPLES).open("w") as file:
            file.writelines(json.dumps(record) + "\n" for record in records)
            for number, task in enumerate(tasks, 1):
                if task.name not in done:
                    record = {"task": task.name, **self._do(task)}
                    file.write(json.dumps(record) + "\n")
                    file.flush()
                    records.append(record)
                report(number, len(tasks))
        return records

    def _tasks(self) -> Iterator[Task]:
        for split, count in self.suite.prompts.items():
            yield from (Task("alignment", split, index) for index in range(count))
        yield from (Task("reconstruction", "held-out", index) for index in range(self.suite.reconstructions))

    def _do(self, task: Task) -> dict[str, Any]:
        return self._align(task) if task.kind == "alignment" else self._restore(task)

    def _align(self, task: Task) -> dict[str, Any]:
        """Make a video of a scene's caption, and read every stage's clip."""
        scene = self._rendered(task, self.preset.stages[0]).scene
        prompt = canonical_caption(scene)
        clip, readings = None, {}
        for spec in self.preset.stages:
            clip = self._stage(spec, prompt, task.index, clip)
            frames = clip.frames[0].clamp(-1, 1)
            readings[str(spec.kind)] = agrees(analyse(frames), scene)
            if task.index < SHEETS:
                sheet = f"{task.split}-{task.index:03d}-{spec.kind}.png"
                contact_sheet(clip.to_uint8()[0]).save(self.folder / "sheets" / sheet)
        return {"kind": task.kind, "split": task.split, "prompt": prompt, "stages": readings}

    def _restore(self, task: Task) -> dict[str, Any]:
        """Give a stage the low resolution of a rendered clip; compare what it makes, and the plain way, with the clip."""
        figures = {}
        for kind in RESTORED:
            spec = self.preset.stage(kind)
            sample = self._rendered(task, spec)
            truth = sample.frames
            if isinstance(spec.options, InterpolationOptions):
                given = truth[:: spec.options.frames_between + 1]
                plain = _blended(given, len(truth))
            else:
                given = functional.interpolate(truth, scale_factor=0.25, mode="area")
                plain = functional.interpolate(given, size=truth.shape[-2:], mode="bicubic")
            made = self._stage(spec, canonical_caption(sample.scene), task.index, Clip(given[None], spec.fps))
            figures[str(kind)] = {
                "stage": _fidelity(made.frames[0], truth),
                "plain": _fidelity(plain, truth),
            }
        return {"kind": task.kind, "split": task.split, "stages": figures}

    def _rendered(self, task: Task, spec: StageSpec) -> Sample:
        clips = MovingShapes(task.split, spec.frames, spec.height, spec.width, self.suite.seed)  # type: ignore[arg-type]
        return clips[task.index]

    def _stage(self, spec: StageSpec, prompt: str, seed: int, clip: Clip | None) -> Clip:
        stage = self.stages[spec.kind]
        embeddings = stage.text.encode(prompt, spec.negative_prompt)
        inputs = StageInputs(spec, prompt, spec.negative_prompt, embeddings, (seed,), clip)
        return stage(inputs, lambda *_: None)


def read_samples(folder: Path) -> Iterator[dict[str, Any]]:
    """The records of a run; a last line that was cut is left out."""
    file = folder / SAMPLES
    if not file.is_file():
        return
    for line in file.read_text().splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            return


def _blended(keyframes: Tensor, frames: int) -> Tensor:
    """Linear blending between keyframes (keyframes, 3, height, width)."""
    folded = keyframes.permute(1, 0, 2, 3)[None]
    size = (frames, *keyframes.shape[-2:])
    blended = functional.interpolate(folded, size=size, mode="trilinear", align_corners=True)
    return blended[0].permute(1, 0, 2, 3)


def _fidelity(made: Tensor, truth: Tensor) -> dict[str, float]:
    """PSNR (dB) and SSIM of frames in [-1, 1]."""
    made = made.clamp(-1, 1)
    return {
        "psnr": float(peak_signal_noise_ratio(made, truth, data_range=(-1.0, 1.0))),
        "ssim": float(
            torch.as_tensor(structural_similarity_index_measure(made, truth, data_range=(-1.0, 1.0)))
        ),
    }
