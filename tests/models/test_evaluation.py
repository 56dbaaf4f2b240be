"""The analyser against rendered ground truth, the statistics by hand, and a whole small evaluation."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from models.checkpoints import Checkpoints
from models.evaluation.analyser import agrees, analyse
from models.evaluation.report import compare, summarise, write_report
from models.evaluation.runner import Evaluation
from models.evaluation.statistics import mean, share
from models.evaluation.suites import Suite
from models.execution import Execution
from models.presets import SHAPES
from models.training.moving_shapes import COLOURS, MovingShapes

SIZES = [(8, 20, 32, 300), (29, 20, 32, 150), (29, 80, 128, 80), (29, 160, 256, 40)]


@pytest.mark.parametrize(("frames", "height", "width", "count"), SIZES)
@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_the_analyser_reads_rendered_clips(
    frames: int, height: int, width: int, count: int, noise: float
) -> None:
    right: defaultdict[str, list[bool]] = defaultdict(list)
    for split in ("train", "held-out"):
        clips = MovingShapes(split, frames, height, width, seed=99)
        for index in range(count // 2):
            sample = clips[index]
            generator = torch.Generator().manual_seed(index)
            noised = sample.frames + noise * torch.randn(sample.frames.shape, generator=generator)
            for attribute, agreed in agrees(analyse(noised), sample.scene).items():
                right[attribute].append(agreed)
    shares = {attribute: sum(agreed) / len(agreed) for attribute, agreed in right.items()}
    assert set(shares) == {"colour", "shape", "background", "motion", "relation", "all_correct"}
    assert min(shares.values()) >= 0.99, shares


def test_a_wrong_clip_is_found_out() -> None:
    clips = MovingShapes("train", 8, 20, 32, seed=99)
    singles = [sample for sample in (clips[index] for index in range(60)) if sample.scene.second is None]
    for sample in singles[:20]:
        scene, reading = sample.scene, analyse(sample.frames)
        colour = next(name for name in COLOURS if name != scene.colour)
        for attribute, wrong in (
            ("colour", replace(scene, colour=colour)),
            ("shape", replace(scene, shape="cross" if scene.shape != "cross" else "circle")),
            ("background", replace(scene, background="pink" if scene.background != "pink" else "white")),
            ("motion", replace(scene, motion="growing" if scene.motion != "growing" else "moving up")),
        ):
            said = agrees(reading, wrong)
            assert not said[attribute]
            assert not said["all_correct"]


@pytest.mark.parametrize("frames", [torch.zeros(8, 3, 20, 32), torch.randn(8, 3, 20, 32).clamp(-1, 1)])
def test_what_shows_nothing_is_nothing(frames: torch.Tensor) -> None:
    scene = MovingShapes("train", 8, 20, 32)[0].scene
    assert not agrees(analyse(frames), scene)["all_correct"]


def test_a_share_has_wilsons_interval() -> None:
    estimate = share([True] * 9 + [False])
    # By hand: p = 0.9, n = 10, z = 1.96: centre (0.9 + 0.192) / 1.384, half 1.96 / 1.384 * sqrt(0.009 + 0.0096).
    assert estimate.value == 0.9
    assert estimate.low == pytest.approx(0.596, abs=0.002)
    assert estimate.high == pytest.approx(0.982, abs=0.002)
    assert share([True] * 5).high == pytest.approx(1.0)


def test_a_mean_has_a_normal_interval() -> None:
    estimate = mean([1.0, 2.0, 3.0])
    assert (estimate.value, estimate.high - 2.0) == (2.0, pytest.approx(1.96 / 3**0.5, abs=1e-3))


@pytest.mark.slow
def test_an_evaluation_goes_on_where_it_was_cut_and_is_reported(
    shapes_checkpoints: Path, tmp_path: Path
) -> None:
    suite = Suite("test", {"train": 1, "held-out": 1}, 1)
    few = tuple(replace(stage, steps=2) for stage in SHAPES.stages)
    preset = replace(SHAPES, stages=few)
    checkpoints = Checkpoints(shapes_checkpoints)
    folder = tmp_path / "one"
    run = Evaluation.load(preset, suite, folder, checkpoints, Execution())
    records = run.run(lambda *_: None)
    assert [record["kind"] for record in records] == ["alignment", "alignment", "reconstruction"]
    samples = folder / "samples.jsonl"
    lines = samples.read_text().splitlines()
    samples.write_text(lines[0] + "\n" + lines[1][:20])  # cut in the middle of a line
    assert run.run(lambda *_: None) == records
    assert len(list((folder / "sheets").glob("*.png"))) == 8

    rows = {row[:4]: row[4] for row in summarise(records)}
    assert rows["alignment", "train", "keyframes", "all_correct"].count == 1
    plain = rows["reconstruction", "held-out", "super-resolution", "psnr (plain)"].value
    assert plain > rows["reconstruction", "held-out", "super-resolution", "psnr (stage)"].value  # untrained
    assert plain > 15
    files = write_report(folder, "shapes", records)
    assert {file.name for file in files} == {"report.json", "report.md", "report.html"}
    assert len(json.loads(files[0].read_text())["rows"]) == len(rows)
    assert "<img" in files[2].read_text()
    write_report(tmp_path, "shapes", records)
    side_by_side = compare(folder, tmp_path)
    assert "alignment · train · keyframes · all_correct" in side_by_side
    assert "| yes |" not in side_by_side
