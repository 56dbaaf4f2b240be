"""Runs a suite: generates videos of prompts and checks them, restores true clips and compares them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.nn import functional

from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.clip import Clip, Output
from cascade.models.errors import EvaluationError
from cascade.models.evaluation import diversity
from cascade.models.evaluation.feature_networks import FeatureNetworks
from cascade.models.evaluation.features import store_features
from cascade.models.evaluation.fidelity import fidelity
from cascade.models.evaluation.part import WHOLE, Part
from cascade.models.evaluation.restoration import Restoration
from cascade.models.evaluation.run_folder import RunIdentity, bind, drop_cut_line, read_samples
from cascade.models.evaluation.scenes import Scene, Scenes, scenes_for
from cascade.models.evaluation.suites import Suite
from cascade.models.families.registry import load_stage, stage_entry
from cascade.models.media.contact_sheet import contact_sheet
from cascade.models.media.renditions import as_clip
from cascade.models.presets.spec import AnyStageSpec, Preset
from cascade.models.prompt_guide import prompt_doubts
from cascade.models.runtime.execution import Execution
from cascade.models.stage import AnyStage, StageInputs, run_stage
from cascade.models.training.video_files import VideoFiles

SHEETS, FEWEST_SHEETS = 24, 3
"""Contact sheets are drawn of so many samples, shared by the splits, of each split the first."""


@dataclass(frozen=True)
class Task:
    """One sample of a suite: `kind` is alignment, reconstruction, reference, listed, warning or spread."""

    kind: str
    split: str
    index: int

    @property
    def name(self) -> str:
        return f"{self.kind}/{self.split}/{self.index}"

    @property
    def file_name(self) -> str:
        return f"{self.split.replace('/', '-')}-{self.index:03d}"


@dataclass
class Evaluation:
    """One preset's cascade under evaluation, all its stages loaded.

    Attributes:
        stages: by name.
        scenes: what prompts are drawn from and clips are checked against.
        restorations: by the names of the stages that restore something.
        listing: the list of captions and videos, for suites that take them from one.
        part: of the tasks, which this process does.
    """

    preset: Preset
    suite: Suite
    folder: Path
    stages: Mapping[str, AnyStage]
    scenes: Scenes
    restorations: Mapping[str, Restoration]
    networks: FeatureNetworks
    identity: RunIdentity
    listing: Path | None = None
    part: Part = WHOLE

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
        part: Part = WHOLE,
    ) -> Evaluation:
        """Load the stages that the suite runs.

        Raises:
            EvaluationError: the suite needs a list of videos, and there is none.
            CheckpointError: a checkpoint is missing or does not fit.
        """
        if suite.listed and listing is None:
            raise EvaluationError("this suite takes its captions from a list of videos: give one with --data")
        preset = replace(preset, stages=preset.stages[: suite.stages])
        return cls(
            preset=preset,
            suite=suite,
            folder=folder,
            stages={spec.name: load_stage(spec, checkpoints, execution) for spec in preset.stages},
            scenes=scenes_for(preset.name),
            restorations=_restorations(preset),
            networks=networks,
            identity=RunIdentity.of(preset, suite, networks.description, checkpoints.folder, listing),
            listing=listing,
            part=part,
        )

    def run(self, report: Callable[[int, int], None]) -> list[dict[str, Any]]:
        """Do what is left of the part; return the records of all samples, those of an earlier run included.

        Args:
            report: called with the number of finished tasks and of all tasks.
        Raises:
            EvaluationError: the folder holds another run.
            VideoFileError: a list has an entry that cannot be used.
        """
        bind(self.folder, self.identity)
        (self.folder / "sheets").mkdir(exist_ok=True)
        samples = self.folder / self.part.samples
        drop_cut_line(samples)
        finished = {record["task"] for record in read_samples(self.folder)}
        tasks = list(self._tasks())[self.part.number - 1 :: self.part.count]
        with samples.open("a") as file:
            for number, task in enumerate(tasks, 1):
                if task.name not in finished:
                    record = {"task": task.name, "kind": task.kind, "split": task.split, **self._do(task)}
                    file.write(json.dumps(record) + "\n")
                    file.flush()
                report(number, len(tasks))
        return read_samples(self.folder)

    def _tasks(self) -> Iterator[Task]:
        for split, count in self.suite.prompts.items():
            yield from (Task("alignment", split, index) for index in range(count))
        if self.restorations:
            yield from (
                Task("reconstruction", "held-out", index) for index in range(self.suite.reconstructions)
            )
        if self.suite.references:
            references = min(self.suite.references, len(self._real_videos.entries))
            yield from (Task("reference", "list", index) for index in range(references))
        yield from (Task("listed", "list", index) for index in range(self.suite.listed))
        for kind, splits in (("warning", self.suite.warned), (diversity.KIND, self.suite.spreads)):
            for split, count in splits.items():
                yield from (Task(kind, split, index) for index in range(count))

    def _do(self, task: Task) -> dict[str, Any]:
        methods = {
            "alignment": self._align,
            "reconstruction": self._restore,
            "reference": self._refer,
            "listed": self._generate_listed,
            "warning": self._ask_for_warnings,
            diversity.KIND: self._spread,
        }
        return methods[task.kind](task)

    def _align(self, task: Task) -> dict[str, Any]:
        """Generate a video of a scene's prompt; check every stage's clip, and measure the true clip of its shape."""
        scene, name, output, figures = self._scene(task), task.file_name, None, {}
        for spec in self.preset.stages:
            started = time.perf_counter()
            output = self._stage(spec, scene.prompt, task.index, output)
            seconds = time.perf_counter() - started
            clip = self._clip(spec, output)
            frames = clip.frames[0].clamp(-1, 1)
            figures[spec.name] = {**scene.check(frames), **scene.measure(frames), "seconds": seconds}
            if self.suite.features:
                truth = scene.render(spec.frames, spec.height, spec.width)
                store_features(
                    self.folder, "real", spec.name, name, self.networks.measure(truth, scene.prompt)
                )
                figures[spec.name] |= self._measure(frames, scene.prompt, name, spec)
            self._draw_sheet(task, f"{name}-{spec.name}.png", clip)
        return {"prompt": scene.prompt, "stages": figures}

    def _restore(self, task: Task) -> dict[str, Any]:
        """Hand a stage a degraded true clip; compare what it restores, and the baseline, with the truth."""
        scene, figures = self._scene(task), {}
        for name, restoration in self.restorations.items():
            spec = self.preset.stage(name)
            truth = scene.render(spec.frames, spec.height, spec.width)
            degraded = restoration.degrade(truth, spec)
            output = self._stage(spec, scene.prompt, task.index, Clip(degraded[None], spec.fps))
            restored = self._clip(spec, output).frames[0]
            figures[name] = {
                "stage": fidelity(restored, truth, self.networks),
                "plain": fidelity(restoration.baseline(degraded, truth), truth, self.networks),
            }
        return {"stages": figures}

    def _refer(self, task: Task) -> dict[str, Any]:
        """Measure a video of the list; one that cannot be used is left out, as the next has a turn of its own."""
        real = self._real_videos[task.index]
        if not real.skipped:
            measurements = self.networks.measure(real.frames, real.caption)
            store_features(
                self.folder, "real", self.preset.stage_names[-1], f"{task.index:06d}", measurements
            )
        return {"stages": {}}

    def _generate_listed(self, task: Task) -> dict[str, Any]:
        """Generate a video of a caption of the list, and measure the last stage's clip."""
        prompt, name, output = self._listed.caption(task.index), f"{task.index:06d}", None
        for spec in self.preset.stages:
            output = self._stage(spec, prompt, task.index, output)
        assert output is not None
        clip = self._clip(spec, output)
        figures = self._measure(self._resize(clip.frames[0].float()).clamp(-1, 1), prompt, name, spec)
        self._draw_sheet(task, f"{name}-{spec.name}.png", clip)
        return {"prompt": prompt, "stages": {spec.name: figures}}

    def _ask_for_warnings(self, task: Task) -> dict[str, Any]:
        """Ask the preset's guide about a prompt."""
        prompt = self._scene(task).prompt
        doubts = prompt_doubts(prompt, self.preset.name)
        return {"prompt": prompt, "doubts": doubts, "stages": {"prompt": {"warned": bool(doubts)}}}

    def _spread(self, task: Task) -> dict[str, Any]:
        """Generate a video of a prompt with another seed; note what the prompt leaves open, and the same of drawn scenes."""
        scene, output, figures, spreads = self._scene(task), None, {}, {}
        numbers = range(task.index * diversity.TRUE, (task.index + 1) * diversity.TRUE)
        others = [self.scenes(task.split, number, self.suite.seed) for number in numbers]
        for spec in self.preset.stages:
            output = self._stage(spec, scene.prompt, task.index, output)
            frames = self._clip(spec, output).frames[0].clamp(-1, 1)
            figures[spec.name] = scene.check(frames)
            drawn = [other.render(spec.frames, spec.height, spec.width) for other in others]
            spreads[spec.name] = {
                "generated": scene.choices(frames),
                "data": [scene.choices(clip) for clip in drawn],
            }
        return {"prompt": scene.prompt, "stages": figures, "spreads": spreads}

    def _measure(self, frames: Tensor, prompt: str, name: str, spec: AnyStageSpec) -> dict[str, float]:
        """Measure a generated clip (frames, 3, height, width) in [-1, 1], and store its features."""
        measurements = self.networks.measure(frames, prompt)
        store_features(self.folder, "generated", spec.name, name, measurements)
        return {
            "text-video similarity": measurements.similarity,
            "frame consistency": measurements.consistency,
        }

    def _draw_sheet(self, task: Task, name: str, clip: Clip) -> None:
        if task.index < max(FEWEST_SHEETS, SHEETS // max(1, len(self.suite.prompts))):
            contact_sheet(clip.to_uint8()[0]).save(self.folder / "sheets" / name)

    @cached_property
    def _listed(self) -> VideoFiles:
        """The list of videos. As in the papers, whole pictures are resized to the suite's size, whatever their aspect ratio."""
        assert self.listing is not None
        last = self.preset.stages[-1]
        height, width = self.suite.size or (last.height, last.width)
        return VideoFiles(self.listing, last.frames, height, width, seed=self.suite.seed, cropped=False)

    @cached_property
    def _real_videos(self) -> VideoFiles:
        return self._listed.one_each()

    def _resize(self, frames: Tensor) -> Tensor:
        """Resize generated frames (frames, 3, height, width) as the listed ones are."""
        if self.suite.size is None:
            return frames
        return functional.interpolate(frames, self.suite.size, mode="bicubic", antialias=True)

    def _scene(self, task: Task) -> Scene:
        return self.scenes(task.split, task.index, self.suite.seed)

    def _stage(self, spec: AnyStageSpec, prompt: str, seed: int, previous: Output | None) -> Output:
        stage = self.stages[spec.name]
        embeddings = stage.text.encode(prompt, spec.negative_prompt)
        inputs = StageInputs(spec, prompt, spec.negative_prompt, embeddings, (seed,), previous)
        return run_stage(stage, inputs, lambda _step, _steps: None)

    def _clip(self, spec: AnyStageSpec, output: Output) -> Clip:
        return as_clip(output, self.stages[spec.name].preview)


def _restorations(preset: Preset) -> dict[str, Restoration]:
    """Return how each stage that restores something is measured, by its name."""
    restorations: dict[str, Restoration] = {}
    for spec in preset.stages:
        family, entry = stage_entry(type(spec.options))
        if entry.restoration is not None:
            restorations[spec.name] = family.part(entry.restoration)()
    return restorations
