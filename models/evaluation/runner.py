"""Runs a suite: makes videos of prompts and reads them, restores rendered clips and compares them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.nn import functional

from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.clip import Clip
from cascade.models.evaluation.feature_networks import FeatureNetworks
from cascade.models.evaluation.features import keep_features
from cascade.models.evaluation.fidelity import fidelity
from cascade.models.evaluation.run_folder import SAMPLES, RunIdentity, bind, kept_samples
from cascade.models.evaluation.suites import Suite
from cascade.models.families.registry import load_stage
from cascade.models.families.shapes.analyser import agrees, analyse
from cascade.models.families.shapes.moving_shapes import MovingShapes, Sample, canonical_caption
from cascade.models.media.contact_sheet import contact_sheet
from cascade.models.presets.table import InterpolationOptions, Preset, StageKind, StageSpec
from cascade.models.runtime.execution import Execution
from cascade.models.stage import Stage, StageInputs
from cascade.models.training.video_files import VideoFiles

SHEETS = 12
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
    identity: RunIdentity
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
        identity = RunIdentity.of(preset, suite, networks.description, checkpoints.folder, listing)
        return cls(preset, suite, folder, stages, networks, identity, listing)

    def run(self, report: Callable[[int, int], None]) -> list[dict[str, Any]]:
        """Do what is left of the suite; every sample's record, those of an earlier run included.

        Raises:
            ValueError: the folder holds another run, or a list has an entry that cannot be used.
        """
        bind(self.folder, self.identity)
        (self.folder / "sheets").mkdir(exist_ok=True)
        records = kept_samples(self.folder)
        done = {record["task"] for record in records}
        tasks = list(self._tasks())
        with (self.folder / SAMPLES).open("a") as file:
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
        if set(RESTORED) & set(self.preset.kinds):
            yield from (
                Task("reconstruction", "held-out", index) for index in range(self.suite.reconstructions)
            )
        if self.suite.references:
            references = min(self.suite.references, len(self._real_videos.entries))
            yield from (Task("reference", "list", index) for index in range(references))
        yield from (Task("listed", "list", index) for index in range(self.suite.listed))

    def _do(self, task: Task) -> dict[str, Any]:
        done = {
            "alignment": self._align,
            "reconstruction": self._restore,
            "reference": self._refer,
            "listed": self._make_listed,
        }
        return done[task.kind](task)

    def _align(self, task: Task) -> dict[str, Any]:
        """Make a video of a scene's caption; read every stage's clip, and look at the scene as rendered in its shape."""
        name, clip, readings = f"{task.split}-{task.index:03d}", None, {}
        for spec in self.preset.stages:
            real = self._rendered(task, spec)
            prompt = canonical_caption(real.scene)
            keep_features(self.folder, "real", spec.kind, name, self.networks.judge(real.frames, prompt))
            clip = self._stage(spec, prompt, task.index, clip)
            frames = clip.frames[0].clamp(-1, 1)
            readings[str(spec.kind)] = agrees(analyse(frames), real.scene) | self._judged(
                frames, prompt, name, spec
            )
            self._keep_sheet(task, f"{name}-{spec.kind}.png", clip)
        return {"kind": task.kind, "split": task.split, "prompt": prompt, "stages": readings}

    def _restore(self, task: Task) -> dict[str, Any]:
        """Give a stage the low resolution of a rendered clip; compare what it makes, and the plain way, with the clip."""
        figures = {}
        for spec in self.preset.stages:
            if spec.kind not in RESTORED:
                continue
            sample = self._rendered(task, spec)
            truth = sample.frames
            if isinstance(spec.options, InterpolationOptions):
                given = truth[:: spec.options.frames_between + 1]
                plain = _blended(given, len(truth))
            else:
                given = functional.interpolate(truth, scale_factor=0.25, mode="area")
                plain = functional.interpolate(given, size=truth.shape[-2:], mode="bicubic")
            made = self._stage(spec, canonical_caption(sample.scene), task.index, Clip(given[None], spec.fps))
            figures[str(spec.kind)] = {
                "stage": fidelity(made.frames[0], truth, self.networks),
                "plain": fidelity(plain, truth, self.networks),
            }
        return {"kind": task.kind, "split": task.split, "stages": figures}

    def _refer(self, task: Task) -> dict[str, Any]:
        """Look at a video of the list; one that cannot be used is left out, as the next has a turn of its own."""
        real = self._real_videos[task.index]
        if not real.skipped:
            seen = self.networks.judge(real.frames, real.caption)
            keep_features(self.folder, "real", self.preset.kinds[-1], f"{task.index:06d}", seen)
        return {"kind": task.kind, "split": task.split, "stages": {}}

    def _make_listed(self, task: Task) -> dict[str, Any]:
        """Make a video of a caption of the list, and look at what the last stage gives."""
        prompt, clip = self._listed.caption(task.index), None
        for spec in self.preset.stages:
            clip = self._stage(spec, prompt, task.index, clip)
        assert clip is not None
        frames, name = self._sized(clip.frames[0].float()).clamp(-1, 1), f"{task.index:06d}"
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
        keep_features(self.folder, "made", spec.kind, name, seen)
        return {"text-video similarity": seen.similarity, "frame consistency": seen.consistency}

    def _keep_sheet(self, task: Task, name: str, clip: Clip) -> None:
        if task.index < SHEETS:
            contact_sheet(clip.to_uint8()[0]).save(self.folder / "sheets" / name)

    @cached_property
    def _listed(self) -> VideoFiles:
        """As the papers do: whole pictures resized to the protocol's size, whatever their aspect."""
        assert self.listing is not None
        last = self.preset.stages[-1]
        height, width = self.suite.size or (last.height, last.width)
        return VideoFiles(self.listing, last.frames, height, width, seed=self.suite.seed, cropped=False)

    @cached_property
    def _real_videos(self) -> VideoFiles:
        return self._listed.one_each()

    def _sized(self, frames: Tensor) -> Tensor:
        """Made frames, resized as the listed ones are."""
        if self.suite.size is None:
            return frames
        return functional.interpolate(frames, self.suite.size, mode="bicubic", antialias=True)

    def _rendered(self, task: Task, spec: StageSpec) -> Sample:
        clips = MovingShapes(task.split, spec.frames, spec.height, spec.width, self.suite.seed)  # type: ignore[arg-type]
        return clips[task.index]

    def _stage(self, spec: StageSpec, prompt: str, seed: int, clip: Clip | None) -> Clip:
        stage = self.stages[spec.kind]
        embeddings = stage.text.encode(prompt, spec.negative_prompt)
        inputs = StageInputs(spec, prompt, spec.negative_prompt, embeddings, (seed,), clip)
        return stage(inputs, lambda *_: None)


def _blended(keyframes: Tensor, frames: int) -> Tensor:
    """Linear blending between keyframes (keyframes, 3, height, width)."""
    folded = keyframes.permute(1, 0, 2, 3)[None]
    size = (frames, *keyframes.shape[-2:])
    blended = functional.interpolate(folded, size=size, mode="trilinear", align_corners=True)
    return blended[0].permute(1, 0, 2, 3)
