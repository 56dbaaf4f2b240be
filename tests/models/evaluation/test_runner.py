"""A whole small evaluation."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.evaluation.feature_networks import FeatureNetworks
from cascade.models.evaluation.report import compare, summarise, write_report
from cascade.models.evaluation.runner import Evaluation
from cascade.models.evaluation.suites import Suite
from cascade.models.families.shapes.moving_shapes import MovingShapes
from cascade.models.presets.shapes import SHAPES
from cascade.models.runtime.execution import Execution

SIZES = [(8, 20, 32, 300), (29, 20, 32, 150), (29, 80, 128, 80), (29, 160, 256, 40)]


def test_a_cascade_without_stages_that_restore_has_nothing_to_restore(
    shapes_checkpoints: Path, tmp_path: Path
) -> None:
    preset = replace(SHAPES, stages=(replace(SHAPES.stages[0], steps=1),))
    checkpoints, suite = Checkpoints(shapes_checkpoints), Suite("test", {"train": 1}, 2)
    run = Evaluation.load(preset, suite, tmp_path, checkpoints, Execution(), FeatureNetworks())
    assert [record["kind"] for record in run.run(lambda *_: None)] == ["alignment"]


@pytest.mark.slow
def test_an_evaluation_goes_on_where_it_was_cut_and_is_reported(
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
    samples.write_text(lines[0] + "\n" + lines[1][:20])  # cut in the middle of a line
    assert run.run(lambda *_: None) == records
    assert len(list((folder / "sheets").glob("*.png"))) == 8

    # Two samples of four stages, made and real: each stage is compared with clips of its own shape.
    assert len(list((folder / "features").rglob("*.safetensors"))) == 2 * 4 * 2
    for stage in SHAPES.stages:
        sides = [
            [file.name for file in sorted((folder / "features" / side / stage.name).glob("*"))]
            for side in ("made", "real")
        ]
        assert sides[0] == sides[1]
        assert len(sides[0]) == 2
        sample = MovingShapes("train", stage.frames, stage.height, stage.width, suite.seed)[0]
        kept = load_file(folder / "features" / "real" / stage.name / "train-000.safetensors")
        assert torch.allclose(kept["clip"], FeatureNetworks().measure(sample.frames, "").clip, atol=1e-5)
    rows = {row[:4]: row[4] for row in summarise(records)}
    assert rows["alignment", "train", "keyframes", "all_correct"].count == 1
    plain = rows["reconstruction", "held-out", "super-resolution", "psnr (plain)"].value
    assert plain > 15
    assert rows["reconstruction", "held-out", "super-resolution", "lpips (plain)"].value > 0
    files = write_report(folder, "shapes", suite.description, records)
    assert {file.name for file in files} == {"report.json", "report.md", "report.html"}
    assert (
        len(json.loads(files[0].read_text())["rows"]) == len(rows) + 3 * 4
    )  # FVD, FID-vid, IS of every stage
    assert "<img" in files[2].read_text()
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    side_by_side = compare(folder, other)
    assert "alignment · train · keyframes · all_correct" in side_by_side
    assert "| yes |" not in side_by_side
