"""Runs a suite: makes videos of prompts and reads them, restores rendered clips and compares them.

Every sample is one line of JSON beside the report, so that a run that was cut goes on behind the last one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
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
from models.evaluation.features import REFERENCE, keep_features
from models.evaluation.networks import FeatureNetworks
from models.evaluation.suites import Suite
from models.execution import Execution
from models.presets import InterpolationOptions, Preset, StageKind, StageSpec
from models.stage import Stage, StageInputs
from models.stages import load_stage
from models.training.moving_shapes import MovingShapes, Sample, canonical_caption
from models.training.video_files import VideoFiles

SHEETS = 12
SAMPLES = "samples.jsonl"
NETWORKS = "networks.txt"
HIGHEST_PSNR = 60.0
"""Equal frames, such as a still clip blended from its keyframes, would have an infinite one."""
SQUARED_ERROR = "squared error"
RESTORED = (StageKind.INTERPOLATION, StageKind.SUPER_RESOLUTION)


@dataclass(frozen=True)
class Task:
    """One sample of a suite: `kind` is alignment, reconstruction, reference or listed."""

    kind: str
    split: str
    index: int

    @property
    def name(self) -> str:
        return f"{self.kind}/{self.split}/{self.index}"


@dataclass
class Evaluation:
    """One preset's cascade under evaluation, all its stages loaded.

    `listing` is the list of captions and videos, for suites that take them from one.
    """

    preset: Preset
    suite: Suite
    folder: Path
    stages: dict[StageKind, Stage]
    networks: FeatureNetworks
    listing: Path | None = None

    @classmethod
    def load(
        cls,
        preset: Preset,
        suite: Suite,
        folder: Path,
        checkpoints: Checkpoints,
        execution: Execution,
        networks: FeatureNetworks,
        listing: Path | None = None,
    ) -> Evaluation:
        """Raises ValueError where the suite needs a list of videos, and none is given."""
        if suite.listed and listing is None:
            raise ValueError("this suite takes its captions from a list of videos: give one with --data")
        stages = {spec.kind: load_stage(spec, checkpoints, execution) for spec in preset.stages}
        return cls(preset, suite, folder, stages, networks, listing)

    def run(self, report: Callable[[int, int], None]) -> list[dict[str, Any]]:
        """Do what is left of the suite; every sample's record, those of an earlier run included.

        Raises:
            ValueError: the earlier run was judged by other networks.
        """
        (self.folder / "sheets").mkdir(parents=True, exist_ok=True)
        self._note_networks()
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
        yield from (Task(REFERENCE, "list", index) for index in range(self.suite.references))
        yield from (Task("listed", "list", index) for index in range(self.suite.listed))

    def _do(self, task: Task) -> dict[str, Any]:
        done = {
            "alignment": self._align,
            "reconstruction": self._restore,
            REFERENCE: self._refer,
            "listed": self._make_listed,
        }
        return done[task.kind](task)

    def _note_networks(self) -> None:
        file, said = self.folder / NETWORKS, self.networks.description
        if file.is_file() and file.read_text() != said:
            raise ValueError(f"{self.folder} holds figures by other networks; choose another folder")
        file.write_text(said)

    def _align(self, task: Task) -> dict[str, Any]:
        """Make a video of a scene's caption, and read every stage's clip."""
        sample = self._rendered(task, self.preset.stages[0])
        scene, name = sample.scene, f"{task.split}-{task.index:03d}"
        prompt = canonical_caption(scene)
        keep_features(self.folder, name, REFERENCE, self.networks.judge(sample.frames, prompt))
        clip, readings = None, {}
        for spec in self.preset.stages:
            clip = self._stage(spec, prompt, task.index, clip)
            frames = clip.frames[0].clamp(-1, 1)
            readings[str(spec.kind)] = agrees(analyse(frames), scene) | self._judged(
                frames, prompt, name, spec
            )
            self._keep_sheet(task, f"{name}-{spec.kind}.png", clip)
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
                "stage": self._fidelity(made.frames[0], truth),
                "plain": self._fidelity(plain, truth),
            }
        return {"kind": task.kind, "split": task.split, "stages": figures}

    def _refer(self, task: Task) -> dict[str, Any]:
        """Look at a video of the list."""
        real = self._videos[task.index]
        seen = self.networks.judge(self._sized(real.frames), real.caption)
        keep_features(self.folder, f"{task.index:06d}", REFERENCE, seen)
        return {"kind": task.kind, "split": task.split, "stages": {}}

    def _make_listed(self, task: Task) -> dict[str, Any]:
        """Make a video of a caption of the list, and look at what the last stage gives."""
        prompt, clip = self._videos.caption(task.index), None
        for spec in self.preset.stages:
            clip = self._stage(spec, prompt, task.index, clip)
        assert clip is not None
        frames, name = self._sized(clip.frames[0].float().clamp(-1, 1)), f"{task.index:06d}"
        figures = self._judged(frames, prompt, name, spec)
        self._keep_sheet(task, f"{name}-{spec.kind}.png", clip)
        return {
            "kind": task.kind,
            "split": task.split,
            "prompt": prompt,
            "stages": {str(spec.kind): figures},
        }

    def _judged(self, frames: Tensor, prompt: str, name: str, spec: StageSpec) -> dict[str, float]:
        seen = self.networks.judge(frames, prompt)
        keep_features(self.folder, name, spec.kind, seen)
        return {"text-video similarity": seen.similarity, "frame consistency": seen.consistency}

    def _keep_sheet(self, task: Task, name: str, clip: Clip) -> None:
        if task.index < SHEETS:
            contact_sheet(clip.to_uint8()[0]).save(self.folder / "sheets" / name)

    @cached_property
    def _videos(self) -> VideoFiles:
        assert self.listing is not None
        last = self.preset.stages[-1]
        return VideoFiles(self.listing, last.frames, last.height, last.width, self.suite.seed)

    def _sized(self, frames: Tensor) -> Tensor:
        """As the papers do: the whole picture resized to the protocol's size, whatever its aspect."""
        if self.suite.size is None:
            return frames
        return functional.interpolate(frames, self.suite.size, mode="bilinear", antialias=True)

    def _fidelity(self, made: Tensor, truth: Tensor) -> dict[str, float]:
        """PSNR (dB, at most HIGHEST_PSNR), mean squared error, SSIM and LPIPS of frames in [-1, 1]."""
        made = made.clamp(-1, 1)
        psnr = float(peak_signal_noise_ratio(made, truth, data_range=(-1.0, 1.0)))
        ssim = structural_similarity_index_measure(made, truth, data_range=(-1.0, 1.0))
        return {
            "psnr": min(psnr, HIGHEST_PSNR),
            SQUARED_ERROR: float((made - truth).square().mean()),
            "ssim": float(torch.as_tensor(ssim)),
            "lpips": self.networks.perceptual_distance(made, truth),
        }

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
