"""The analyser against rendered ground truth, the statistics by hand, and a whole small evaluation."""

from __future__ import annotations

import io
import json
import shutil
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from typer.testing import CliRunner

from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.clip import Clip
from cascade.models.evaluation.distances import bootstrapped, frechet_distance, inception_score
from cascade.models.evaluation.feature_networks import FeatureNetworks
from cascade.models.evaluation.fidelity import fidelity
from cascade.models.evaluation.plot import Row, plot
from cascade.models.evaluation.report import compare, summarise, write_report
from cascade.models.evaluation.run_folder import RUN, RunIdentity, bind, kept_samples
from cascade.models.evaluation.runner import Evaluation
from cascade.models.evaluation.scorers import SCORERS
from cascade.models.evaluation.statistics import Estimate, mean, share, t95
from cascade.models.evaluation.suites import SUITES, Suite
from cascade.models.families.shapes.analyser import agrees, analyse
from cascade.models.families.shapes.moving_shapes import COLOURS, MOTIONS, MovingShapes, canonical_caption
from cascade.models.families.shapes.moving_shapes import SHAPES as SHAPES_OF_SCENES
from cascade.models.families.shapes.text_video import load_text_video
from cascade.models.presets.table import SHAPES
from cascade.models.runtime.execution import Execution
from cascade.service.cli.main import app

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


def test_a_mean_has_students_interval() -> None:
    """From the tables: t is 12.706, 4.303, 3.182, 2.042 and 1.960 for 1, 2, 3, 30 and many degrees of freedom."""
    estimate = mean([1.0, 2.0, 3.0])
    assert (estimate.value, estimate.high - 2.0) == (2.0, pytest.approx(4.303 / 3**0.5, abs=1e-3))
    found = [t95(freedom) for freedom in (1, 2, 3, 30, 60_000)]
    assert found == pytest.approx([12.706, 4.303, 3.182, 2.042, 1.960], abs=1e-3)


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


def test_the_likeness_of_nearly_equal_gray_clips_does_not_depend_on_where_zero_is() -> None:
    """Offset by 0.02 in [-1, 1]: the squared error is 0.0004, the PSNR 10 log10(4 / 0.0004) = 40 dB."""
    gray = torch.full((2, 3, 20, 32), 0.004)
    found = fidelity(gray + 0.02, gray, FeatureNetworks())
    assert found["ssim"] > 0.99
    assert found["psnr"] == pytest.approx(40, abs=1e-3)
    assert found["squared error"] == pytest.approx(0.0004, rel=1e-3)


def test_a_folder_is_that_of_one_run(tmp_path: Path, shapes_checkpoints: Path) -> None:
    listing, suite = tmp_path / "list.csv", Suite("test", {"train": 1})
    listing.write_text("video,caption")
    identity = RunIdentity.of(SHAPES, suite, "small", shapes_checkpoints, listing)
    folder = tmp_path / "run"
    bind(folder, identity)
    bind(
        folder,
        RunIdentity.of(
            SHAPES, replace(suite, description="in other words"), "small", shapes_checkpoints, listing
        ),
    )
    fewer_steps = replace(SHAPES, stages=(replace(SHAPES.stages[0], steps=3), *SHAPES.stages[1:]))
    trained = tmp_path / "checkpoints"
    shutil.copytree(shapes_checkpoints, trained)
    with (trained / "shapes" / "keyframes" / "SHA256SUMS").open("a") as sums:
        sums.write("of a new training\n")
    for other, differing in (
        (RunIdentity.of(replace(SHAPES, name="mine"), suite, "small", shapes_checkpoints, listing), "preset"),
        (RunIdentity.of(fewer_steps, suite, "small", shapes_checkpoints, listing), "stages"),
        (
            RunIdentity.of(SHAPES, Suite("", {"train": 2}), "I3D", shapes_checkpoints, listing),
            "suite, networks",
        ),
        (RunIdentity.of(SHAPES, suite, "small", trained, listing), "checkpoints"),
        (RunIdentity.of(SHAPES, suite, "small", shapes_checkpoints, None), "listing"),
    ):
        with pytest.raises(ValueError, match=f"differs in {differing}; choose another folder"):
            bind(folder, other)
    (folder / RUN).unlink()
    (folder / "samples.jsonl").touch()  # of who knows what
    with pytest.raises(ValueError, match="another run"):
        bind(folder, identity)


def test_a_line_that_was_cut_is_dropped_and_those_before_it_are_not(tmp_path: Path) -> None:
    samples = tmp_path / "samples.jsonl"
    samples.write_text('{"task": "a"}\n{"task": "b"}\n{"ta')
    with samples.open() as before:
        assert kept_samples(tmp_path) == [{"task": "a"}, {"task": "b"}]
        assert samples.read_text() == '{"task": "a"}\n{"task": "b"}\n'
        assert before.read().endswith(
            '{"ta'
        )  # another file has taken its place: never one that is half written


def _reported(folder: Path, networks: str, rows: list[Row], monkeypatch: pytest.MonkeyPatch) -> Path:
    folder.mkdir()
    (folder / RUN).write_text(json.dumps({"networks": networks}))
    monkeypatch.setattr("cascade.models.evaluation.report.summarise", lambda _: rows)
    write_report(folder, "title", "What the suite is.", [])
    return folder


def test_reports_that_differ_are_marked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Apart are intervals that do not meet; never a Fréchet distance of other numbers of samples."""
    all_correct, similarity = ("alignment", "train", "keyframes", "all_correct"), ("listed", "list", "x", "y")
    score, one_sample = ("distribution", "all", "keyframes", "FVD"), ("listed", "list", "x", "one sample")
    few: list[Row] = [
        (*all_correct, Estimate(0.2, 0.1, 0.3, 10)),
        (*similarity, Estimate(0.2, 0.1, 0.3, 10)),
        (*score, Estimate(9, 8, 10, 10)),
        (*one_sample, mean([1.0])),
    ]
    many: list[Row] = [
        (*all_correct, Estimate(0.8, 0.7, 0.9, 20)),
        (*similarity, Estimate(0.3, 0.2, 0.4, 20)),
        (*score, Estimate(2, 1, 3, 20)),
        (*one_sample, mean([2.0])),
    ]
    first = _reported(tmp_path / "few", "I3D", few, monkeypatch)
    second = _reported(tmp_path / "many", "I3D", many, monkeypatch)
    apart = [line.split(" | ")[0] for line in compare(first, second).splitlines() if "| yes |" in line]
    assert apart == ["| alignment · train · keyframes · all_correct"]
    as_many = [row if row[:4] != score else (*score, Estimate(2, 1, 3, 10)) for row in many]
    third = _reported(tmp_path / "as many", "I3D", as_many, monkeypatch)
    assert compare(first, third).count("| yes |") == 2
    by_others = _reported(tmp_path / "others", "small network", many, monkeypatch)
    with pytest.raises(ValueError, match="different networks"):
        compare(first, by_others)
    for name in ("report.md", "report.html"):
        assert "What the suite is." in (first / name).read_text()


def test_an_open_interval_is_null_and_is_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = _reported(
        tmp_path / "one", "I3D", [("listed", "list", "keyframes", "x", mean([1.0]))], monkeypatch
    )

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    (row,) = json.loads((folder / "report.json").read_text(), parse_constant=refuse)["rows"]
    assert (row["value"], row["low"], row["high"]) == (1, None, None)
    assert "1.000 [-inf, inf] of 1" in compare(folder, folder)


def test_a_cascade_without_stages_that_restore_has_nothing_to_restore(
    shapes_checkpoints: Path, tmp_path: Path
) -> None:
    preset = replace(SHAPES, stages=(replace(SHAPES.stages[0], steps=1),))
    checkpoints, suite = Checkpoints(shapes_checkpoints), Suite("test", {"train": 1}, 2)
    run = Evaluation.load(preset, suite, tmp_path, checkpoints, Execution(), FeatureNetworks())
    assert [record["kind"] for record in run.run(lambda *_: None)] == ["alignment"]


def test_a_report_to_compare_with_is_asked_for_before_anything_is_made(tmp_path: Path) -> None:
    output = tmp_path / "new"
    result = CliRunner().invoke(app, ["evaluate", "-o", str(output), "--against", str(tmp_path)])
    assert result.exit_code == 2
    assert "report.json" in result.output
    assert not output.exists()


def test_the_command_line_tells_what_a_suite_is() -> None:
    said = CliRunner().invoke(app, ["evaluate", "--help"], env={"COLUMNS": "2000"}).output
    for name, suite in SUITES.items():
        assert f"{name}: {suite.description}" in said


def test_every_figure_has_its_panel() -> None:
    """Two rows of two panels are twice as high as one."""
    one: list[Row] = [
        ("a", "train", "keyframes", "x", mean([1.0])),
        ("a", "train", "keyframes", "y", mean([1.0])),
    ]
    four = [
        *one,
        *(
            ("b", "all", "keyframes", f"{figure} ({way})", mean([1.0, 2.0]))
            for figure in ("u", "v")
            for way in ("stage", "plain")
        ),
    ]
    heights = [Image.open(io.BytesIO(plot(rows))).height for rows in (one, four)]
    assert heights[1] == pytest.approx(2 * heights[0], abs=30)


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
            [file.name for file in sorted((folder / "features" / side / stage.kind).glob("*"))]
            for side in ("made", "real")
        ]
        assert sides[0] == sides[1]
        assert len(sides[0]) == 2
        sample = MovingShapes("train", stage.frames, stage.height, stage.width, suite.seed)[0]
        kept = load_file(folder / "features" / "real" / stage.kind / "train-000.safetensors")
        assert torch.allclose(kept["clip"], FeatureNetworks().judge(sample.frames, "").clip, atol=1e-5)
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


def test_a_frechet_distance_of_gaussians_is_the_closed_form() -> None:
    generator = torch.Generator().manual_seed(0)
    first = torch.randn(200_000, 2, generator=generator)
    second = torch.randn(200_000, 2, generator=generator) * torch.tensor([2.0, 3.0]) + torch.tensor(
        [1.0, -2.0]
    )
    # |m|^2 = 5, and per axis (1 - 2)^2 + (1 - 3)^2 = 5.
    assert frechet_distance(first, second) == pytest.approx(10, rel=0.02)
    assert frechet_distance(first, first) == pytest.approx(0, abs=1e-6)
    few = torch.randn(
        4, 32, generator=generator
    )  # fewer than features: most eigenvalues are 0, or just below
    assert frechet_distance(few, few + 0.5) == pytest.approx(32 * 0.25, rel=1e-4)


def test_an_inception_score_counts_classes() -> None:
    sure = torch.zeros(5)  # 1 log 1
    assert inception_score(torch.eye(5), sure) == pytest.approx(5, rel=1e-6)
    assert inception_score(torch.full((8, 5), 0.2), torch.tensor(0.2).log().repeat(8)) == pytest.approx(1)
    assert inception_score(torch.eye(5)[[0, 0, 1, 1]], sure[:4]) == pytest.approx(2, rel=1e-6)
    # One clip whose frames are surely of one class each, two in all: no other than two clips of one class.
    assert inception_score(torch.tensor([[0.5, 0.5]]), sure[:1]) == pytest.approx(2, rel=1e-6)


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
