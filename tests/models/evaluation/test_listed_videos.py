"""Suites over a list of video files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.clip import Clip
from cascade.models.errors import EvaluationError
from cascade.models.evaluation.feature_networks import FeatureNetworks
from cascade.models.evaluation.report import write_report
from cascade.models.evaluation.run_folder import RunIdentity
from cascade.models.evaluation.runner import Evaluation
from cascade.models.evaluation.suites import Suite, available_suites
from cascade.models.families.shapes.moving_shapes import MovingShapes
from cascade.models.families.shapes.scenes import shapes_scene
from cascade.models.media.video import write_mp4
from cascade.models.presets.shapes import SHAPES
from cascade.models.runtime.execution import Execution


@pytest.mark.slow
def test_a_suite_of_listed_videos_generates_their_captions_and_compares_the_clips(
    published: Path, shapes_checkpoints: Path, tmp_path: Path
) -> None:
    lines = []
    for index in range(3):
        sample = MovingShapes("train", 29, 40, 64, seed=5)[index]
        name = f"{min(index, 1)}.mp4"  # the second video has two captions
        write_mp4(Clip(sample.frames[None], 8), tmp_path / name)
        lines.append(json.dumps({"video": name, "caption": sample.caption}))
    listing = tmp_path / "list.jsonl"
    listing.write_text("\n".join(lines))
    preset = replace(SHAPES, stages=tuple(replace(stage, steps=1) for stage in SHAPES.stages))
    suite, folder = Suite("test", listed=3, references=3, size=(64, 64)), tmp_path / "report"

    def load(networks: FeatureNetworks) -> Evaluation:
        checkpoints = Checkpoints(shapes_checkpoints)
        return Evaluation.load(preset, suite, folder, checkpoints, Execution(), networks, listing)

    records = load(FeatureNetworks.load(published)).run(lambda *_: None)
    assert [record["kind"] for record in records] == ["reference"] * 2 + ["listed"] * 3
    captions = {json.loads(line)["caption"] for line in lines}
    assert {record["prompt"] for record in records[2:]} == captions
    files = write_report(folder, "test", suite.description, records)
    rows = {row["figure"]: row for row in json.loads(files[0].read_text())["rows"]}
    assert (rows["FVD"]["count"], rows["Inception Score"]["count"]) == (2, 3)
    assert rows["text-video similarity"]["count"] == 3
    assert "I3D" in files[1].read_text()
    with pytest.raises(EvaluationError, match="another run, which differs in networks"):
        load(FeatureNetworks()).run(lambda *_: None)


def test_every_usable_listed_video_is_measured_once(tmp_path: Path) -> None:
    """Of three videos one has two captions, and one is broken: the next in its place has a turn of its own."""
    names, lines = ("0.mp4", "0.mp4", "1.mp4", "broken.mp4"), []
    for index, name in enumerate(names):
        if name == "broken.mp4":
            (tmp_path / name).write_text("no video")
        else:
            write_mp4(Clip(torch.full((1, 29, 3, 40, 64), index / 4), 8), tmp_path / name)
        lines.append(json.dumps({"video": name, "caption": f"number {index}"}))
    listing, folder = tmp_path / "list.jsonl", tmp_path / "report"
    listing.write_text("\n".join(lines))
    identity = RunIdentity(SHAPES.name, {}, "", "", {}, None)
    suite = Suite("test", references=9, size=(64, 64))
    records = Evaluation(
        SHAPES, suite, folder, {}, shapes_scene, {}, FeatureNetworks(), identity, listing
    ).run(lambda *_: None)
    assert [record["kind"] for record in records] == ["reference"] * 3
    measurements = [
        load_file(file)["clip"] for file in (folder / "features/real/expert-translation").glob("*")
    ]
    assert len(measurements) == 2
    assert not torch.equal(*measurements)


def test_listed_videos_are_not_cropped(tmp_path: Path) -> None:
    """White at the left and right edges, which a square cut from the middle would lack."""
    frames = -torch.ones(29, 3, 40, 80)
    frames[..., :16] = frames[..., -16:] = 1
    write_mp4(Clip(frames[None], 8), tmp_path / "0.mp4")
    listing = tmp_path / "list.jsonl"
    listing.write_text(json.dumps({"video": "0.mp4", "caption": "edges"}))
    identity = RunIdentity(SHAPES.name, {}, "", "", {}, None)
    suite = Suite("test", listed=1, references=1, size=(64, 64))
    run = Evaluation(SHAPES, suite, tmp_path, {}, shapes_scene, {}, FeatureNetworks(), identity, listing)
    picture = run._real_videos[0].frames[0]
    assert picture.shape == (3, 64, 64)
    assert picture[:, :, :8].mean() > 0.8
    assert picture[:, :, 28:36].mean() < -0.8


def test_a_suite_of_listed_videos_needs_a_list(shapes_checkpoints: Path, tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="--data"):
        Evaluation.load(
            SHAPES,
            available_suites()["msr-vtt"],
            tmp_path,
            Checkpoints(shapes_checkpoints),
            Execution(),
            FeatureNetworks(),
        )
