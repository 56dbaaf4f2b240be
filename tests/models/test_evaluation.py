"""The analyser against rendered ground truth, the statistics by hand, and a whole small evaluation."""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from models.checkpoints import Checkpoints
from models.clip import Clip
from models.evaluation.analyser import agrees, analyse
from models.evaluation.distances import bootstrapped, frechet_distance, inception_score
from models.evaluation.networks import FeatureNetworks
from models.evaluation.report import compare, summarise, write_report
from models.evaluation.runner import Evaluation
from models.evaluation.statistics import mean, share
from models.evaluation.suites import Suite
from models.execution import Execution
from models.presets import SHAPES
from models.scorers import SCORERS
from models.text_video import load_text_video
from models.training.moving_shapes import COLOURS, MOTIONS, MovingShapes, canonical_caption
from models.training.moving_shapes import SHAPES as SHAPES_OF_SCENES

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


def test_the_interval_of_a_frechet_distance_holds_it() -> None:
    """Resampled sets have fewer different samples, which alone moves them apart."""
    one, other = torch.randn(2, 40, 16, generator=torch.Generator().manual_seed(0))
    found = bootstrapped(lambda chosen: frechet_distance(one[chosen], other[chosen]), 40)
    assert found.low < found.value < found.high


def test_psnr_of_all_together_is_that_of_the_mean_error() -> None:
    """Errors of 0.04 and 0 in [-1, 1]: 10 log10(4 / 0.02) = 23.01 dB, whatever the PSNR of the still clip is."""
    records = [
        {
            "kind": "reconstruction",
            "split": "train",
            "stages": {"interpolation": {"stage": {"squared error": error}}},
        }
        for error in (0.04, 0.0)
    ]
    (row,) = summarise(records)
    assert row[3] == "psnr of all together (stage)"
    assert row[4].value == pytest.approx(23.0103)
    assert row[4].high == 60  # the interval reaches an error of nothing


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

    assert len(list((folder / "features").rglob("*.safetensors"))) == 2 * 5
    rows = {row[:4]: row[4] for row in summarise(records)}
    assert rows["alignment", "train", "keyframes", "all_correct"].count == 1
    plain = rows["reconstruction", "held-out", "super-resolution", "psnr (plain)"].value
    assert plain > 15
    assert rows["reconstruction", "held-out", "super-resolution", "lpips (plain)"].value > 0
    files = write_report(folder, "shapes", records)
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


def test_a_frechet_distance_of_gaussians_is_the_closed_form() -> None:
    generator = torch.Generator().manual_seed(0)
    first = torch.randn(200_000, 2, generator=generator)
    second = torch.randn(200_000, 2, generator=generator) * torch.tensor([2.0, 3.0]) + torch.tensor(
        [1.0, -2.0]
    )
    # |m|^2 = 5, and per axis (1 - 2)^2 + (1 - 3)^2 = 5.
    assert frechet_distance(first, second) == pytest.approx(10, rel=0.02)
    assert frechet_distance(first, first) == pytest.approx(0, abs=1e-6)


def test_an_inception_score_counts_classes() -> None:
    assert inception_score(torch.eye(5)) == pytest.approx(5, rel=1e-6)
    assert inception_score(torch.full((8, 5), 0.2)) == pytest.approx(1)
    assert inception_score(torch.eye(5)[[0, 0, 1, 1]]) == pytest.approx(2, rel=1e-6)


def test_the_text_video_network_tells_a_clip_from_its_neighbours() -> None:
    """On held-out combinations it finds the caption among those that differ in one attribute."""
    clips, right = MovingShapes("held-out", 8, 20, 32, seed=77), []
    network = load_text_video()
    for index in range(150):
        sample = clips[index]
        scene = sample.scene
        if scene.second is not None:
            continue
        others = [
            *(replace(scene, colour=colour) for colour in COLOURS if colour != scene.colour),
            *(replace(scene, shape=shape) for shape in SHAPES_OF_SCENES if shape != scene.shape),
            *(replace(scene, motion=motion) for motion in MOTIONS if motion != scene.motion),
        ]
        captions = [canonical_caption(one) for one in (scene, *others)]
        similarity = network.embed_captions(captions) @ network.embed_clips(sample.frames[None])[0]
        right.append(int(similarity.argmax()) == 0)
    assert sum(right) / len(right) > 0.6  # chance: 1 in 16


def test_the_scorer_prefers_the_clip_of_the_prompt() -> None:
    clips = MovingShapes("train", 8, 20, 32, seed=78)
    singles = [sample for sample in (clips[index] for index in range(40)) if sample.scene.second is None][:12]
    frames = torch.stack([sample.frames for sample in singles])
    for index, sample in enumerate(singles):
        scores = SCORERS["text-video"](Clip(frames, 2), canonical_caption(sample.scene))
        assert all(0 <= score <= 1 for score in scores)
        assert scores[index] > sum(scores) / len(scores) + 0.2


def test_temporal_consistency_is_one_for_a_still_clip() -> None:
    still, jumping = torch.zeros(4, 3, 5, 5), torch.ones(4, 3, 5, 5)
    jumping[::2] = -1
    assert SCORERS["temporal-consistency"](Clip(torch.stack([still, jumping]), 2), "") == (1.0, 0.0)
