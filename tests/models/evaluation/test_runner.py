"""A whole small evaluation."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any, Self
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

from cascade.models.checkpoints.files import Requirement
from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.clip import Clip, Latents
from cascade.models.evaluation.feature_networks import FeatureNetworks
from cascade.models.evaluation.part import Part
from cascade.models.evaluation.report import compare, summarise, write_report
from cascade.models.evaluation.run_folder import RunIdentity
from cascade.models.evaluation.runner import Evaluation
from cascade.models.evaluation.suites import Suite
from cascade.models.families.shapes.moving_shapes import MovingShapes
from cascade.models.families.shapes.scenes import shapes_scene
from cascade.models.presets.shapes import SHAPES
from cascade.models.presets.spec import AnyStageSpec
from cascade.models.runtime.execution import Execution
from cascade.models.stage import AnyStage, OnStep, StageInputs


class LatentStage(AnyStage):
    """Hands on latents, whose preview is the first scene of the suite."""

    def __init__(self, spec: AnyStageSpec, scene: Tensor) -> None:
        self.spec, self.scene, self.text = spec, scene, Mock()

    @classmethod
    def load(cls, spec: AnyStageSpec, checkpoints: Checkpoints, execution: Execution) -> Self:
        raise NotImplementedError

    @classmethod
    def requirements(cls, spec: AnyStageSpec) -> tuple[Requirement, ...]:
        return ()

    def __call__(self, inputs: StageInputs[Any], on_step: OnStep) -> Latents:
        return Latents(torch.zeros(1, inputs.spec.frames, 4, 5, 8), inputs.spec.fps, "autoencoder")

    def preview(self, latents: Latents) -> Clip:
        return Clip(self.scene[None], latents.fps)


def test_latents_are_measured_by_their_preview(tmp_path: Path) -> None:
    spec = SHAPES.stages[0]
    preset, suite = replace(SHAPES, stages=(spec,)), Suite("test", {"train": 1})
    scene = shapes_scene("train", 0, suite.seed).render(spec.frames, spec.height, spec.width)
    identity = RunIdentity(SHAPES.name, {}, "", "", {}, None)
    stages = {spec.name: LatentStage(spec, scene)}
    run = Evaluation(preset, suite, tmp_path, stages, shapes_scene, {}, FeatureNetworks(), identity)
    (record,) = run.run(lambda *_: None)
    assert record["stages"][spec.name]["all_correct"]
    assert (tmp_path / "sheets" / f"train-000-{spec.name}.png").is_file()


def test_parts_share_prompts_of_people_warnings_and_seeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every clip shows the first scene with the first spread prompt."""
    spec = SHAPES.stages[0]
    preset = replace(SHAPES, stages=(spec,))
    suite = Suite(
        "test",
        {"people/typo": 2, "people/order": 1},
        warned={"ordinary": 2},
        spreads={"spread/0": 3},
        features=False,
    )
    scene = shapes_scene("spread/0", 0, suite.seed).render(spec.frames, spec.height, spec.width)
    identity = RunIdentity(SHAPES.name, {}, "", "", {}, None)
    stages = {spec.name: LatentStage(spec, scene)}
    networks = FeatureNetworks()
    parts = [
        Evaluation(
            preset, suite, tmp_path, stages, shapes_scene, {}, networks, identity, part=Part(number, 2)
        )
        for number in (1, 2)
    ]
    assert len(parts[0].run(lambda *_: None)) == 4
    records = parts[1].run(lambda *_: None)
    assert len({record["task"] for record in records}) == len(records) == 8
    assert parts[0].run(lambda *_: None) == records

    files = write_report(tmp_path, "shapes", suite.description, records)
    rows = {row[:4]: row[4] for row in summarise(records)}
    assert rows["alignment", "people", "keyframes", "all_correct"].count == 3
    assert rows["alignment", "people/typo", "keyframes", "all_correct"].count == 2
    assert rows["alignment", "people", "keyframes", "overlap"].value > 0.99
    assert rows["warning", "ordinary", "prompt", "warned"].count == 2
    assert rows["spread", "spread/0", "keyframes", "all_correct"].value == 1
    (spread,) = (
        row
        for row in json.loads(files[0].read_text())["rows"]
        if row["figure"] == "spread of x (stage)" and row["group"] == "spread"
    )
    assert spread["value"] == pytest.approx(0, abs=1e-6)
    assert (tmp_path / "sheets" / "spread.png").is_file()
    assert not (tmp_path / "features").exists()

    monkeypatch.syspath_prepend(Path(__file__).parents[3] / "tools")
    import_module("prompt_sheet").main(tmp_path, tmp_path / "prompts.png")
    with Image.open(tmp_path / "prompts.png") as picture:
        # Three rows of the first spread prompt's scene: its gray background is there, and its red circle somewhere.
        assert picture.height % 3 == 0
        red, green, blue = np.moveaxis(np.asarray(picture.convert("RGB")).astype(int), 2, 0)
    assert ((abs(red - 128) < 4) & (abs(green - 128) < 4)).mean() > 0.3
    assert ((red > 200) & (green < 60) & (blue < 60)).any()


def test_a_preset_without_restoring_stages_skips_reconstructions(
    shapes_checkpoints: Path, tmp_path: Path
) -> None:
    preset = replace(SHAPES, stages=(replace(SHAPES.stages[0], steps=1),))
    checkpoints, suite = Checkpoints(shapes_checkpoints), Suite("test", {"train": 1}, 2)
    run = Evaluation.load(preset, suite, tmp_path, checkpoints, Execution(), FeatureNetworks())
    assert [record["kind"] for record in run.run(lambda *_: None)] == ["alignment"]


@pytest.mark.slow
def test_an_interrupted_evaluation_continues_and_is_reported(
    shapes_checkpoints: Path, tmp_path: Path
) -> None:
    suite = Suite("test", {"train": 1, "held-out": 1}, 1)
    few = tuple(replace(stage, steps=2) for stage in SHAPES.stages)
    preset = replace(SHAPES, stages=few)
    checkpoints = Checkpoints(shapes_checkpoints)
    folder = tmp_path / "one"
    run = Evaluation.load(preset, suite, folder, checkpoints, Execution(), FeatureNetworks())
    records = run.run(lambda *_: None)
    assert [record["kind"] for record in records] == ["alignment", "alignment", "reconstruction"]
    samples = folder / "samples.jsonl"
    lines = samples.read_text().splitlines()
    samples.write_text(lines[0] + "\n" + lines[1][:20])  # interrupted in the middle of a line
    assert _untimed(run.run(lambda *_: None)) == _untimed(records)
    assert len(list((folder / "sheets").glob("*.png"))) == 8

    # Two samples of four stages, generated and real: each stage is compared with clips of its own shape.
    assert len(list((folder / "features").rglob("*.safetensors"))) == 2 * 4 * 2
    for stage in SHAPES.stages:
        sides = [
            [file.name for file in sorted((folder / "features" / side / stage.name).glob("*"))]
            for side in ("generated", "real")
        ]
        assert sides[0] == sides[1]
        assert len(sides[0]) == 2
        sample = MovingShapes("train", stage.frames, stage.height, stage.width, suite.seed)[0]
        stored = load_file(folder / "features" / "real" / stage.name / "train-000.safetensors")
        assert torch.allclose(stored["clip"], FeatureNetworks().measure(sample.frames, "").clip, atol=1e-5)
    rows = {row[:4]: row[4] for row in summarise(records)}
    assert rows["alignment", "train", "keyframes", "all_correct"].count == 1
    plain = rows["reconstruction", "held-out", "super-resolution", "psnr (plain)"].value
    assert plain > 15
    assert rows["reconstruction", "held-out", "super-resolution", "lpips (plain)"].value > 0
    files = write_report(folder, "shapes", suite.description, records)
    assert {file.name for file in files} == {"report.json", "report.md", "report.html"}
    # Besides, FVD, FID-vid and Inception Score of every stage.
    assert len(json.loads(files[0].read_text())["rows"]) == len(rows) + 3 * 4
    assert "<img" in files[2].read_text()
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    side_by_side = compare(folder, other)
    assert "alignment · train · keyframes · all_correct" in side_by_side
    assert "| yes |" not in side_by_side


def _untimed(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Leave out what differs between two runs."""
    return [
        record
        | {
            "stages": {
                stage: {name: value for name, value in figures.items() if name != "seconds"}
                for stage, figures in record["stages"].items()
            }
        }
        for record in records
    ]
