"""The training loop: it goes on to the bit, learns what its phases name, and leaves what it should."""

from __future__ import annotations

import csv
import os
import signal
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from accelerate.state import AcceleratorState

from cascade.models.clip import Clip
from cascade.models.errors import OutputError, TrainingError
from cascade.models.training.batch import Batch, CaptionedClip
from cascade.models.training.loop import Training
from cascade.models.training.progress import Progress, Rhythm
from cascade.models.training.recipe import Phase, Recipe
from cascade.models.training.stopping import TrainingStopped
from tests.models.training.brightness import BrightnessTraining, GrayClips

PHASES = (Phase(3, 2, "weight", learning_rate=0.1), Phase(5, 4, learning_rate=0.1, cooldown=2))


@pytest.fixture(autouse=True)
def _as_in_a_process_of_its_own() -> None:
    """Accelerate settles on one precision in a process; here they take turns."""
    AcceleratorState._reset_state()


def training(folder: Path, phases: tuple[Phase, ...] = PHASES, accumulation: int = 1) -> Training:
    recipe = Recipe(phases=phases, warmup=1, accumulation=accumulation)
    stage = BrightnessTraining(recipe)
    return Training(stage, GrayClips(), folder, None, rhythm=Rhythm(save_every=1, sample_every=1000))


def stage_of(run: Training) -> BrightnessTraining:
    assert isinstance(run.stage, BrightnessTraining)
    return run.stage


def losses(run: Training, steps: int | None = None) -> list[float]:
    reports: list[Progress] = []
    run.run(reports.append, steps)
    return [progress.loss for progress in reports]


@pytest.mark.parametrize("accumulation", [1, 2])
@pytest.mark.parametrize("cut", [2, 3, 6])
def test_a_run_that_was_cut_goes_on_to_the_bit(cut: int, accumulation: int, tmp_path: Path) -> None:
    """In the first phase, between the two, and in the second."""
    whole = training(tmp_path / "whole", accumulation=accumulation)
    expected = losses(whole)
    assert len(expected) == 8
    first = losses(training(tmp_path / "cut", accumulation=accumulation), steps=cut)
    assert not (tmp_path / "cut" / "checkpoint").exists()
    resumed = training(tmp_path / "cut", accumulation=accumulation)
    assert first + losses(resumed) == expected
    assert int(stage_of(resumed).count) == 8 * accumulation
    results = [
        torch.load(tmp_path / name / "checkpoint" / "line.pt", weights_only=True) for name in ("whole", "cut")
    ]
    assert all(torch.equal(results[0][name], results[1][name]) for name in results[0])
    tables = [
        list(csv.reader((tmp_path / name / "loss.csv").read_text().splitlines())) for name in ("whole", "cut")
    ]
    assert [row[:2] for row in tables[0]] == [row[:2] for row in tables[1]]
    assert len(tables[0]) == 1 + 8
    assert (tmp_path / "cut" / "loss.png").stat().st_size > 1000


def test_steps_say_how_far_the_run_is_and_that_it_learns(tmp_path: Path) -> None:
    reports: list[Progress] = []
    run = training(tmp_path, (Phase(60, 16, learning_rate=0.1),))
    assert run.run(reports.append, steps=50) is False
    assert [progress.step for progress in reports] == list(range(1, 51))
    assert {progress.steps for progress in reports} == {60}
    assert sum(p.loss for p in reports[-5:]) < 0.3 * sum(p.loss for p in reports[:5])
    assert training(tmp_path, (Phase(60, 16, learning_rate=0.1),)).run(reports.append) is True


def test_only_what_a_phase_names_learns(tmp_path: Path) -> None:
    run = training(tmp_path)
    losses(run, steps=3)
    line = stage_of(run).line
    assert line.weight.item() != 0
    assert line.bias.item() == 0
    losses(run)
    assert line.bias.item() != 0


def test_frozen_networks_are_neither_averaged_nor_saved(tmp_path: Path) -> None:
    """A T5 XXL that never learns would be twice in memory, and in every saved state."""
    losses(training(tmp_path), steps=1)
    saved = torch.load(tmp_path / "state" / "stage.pt", weights_only=True)
    assert saved.keys() == {"line.weight", "line.bias", "count"}
    averaged = torch.load(tmp_path / "state" / "ema.pt", weights_only=True)["shadow_params"]
    assert len(averaged) == 2


def test_the_result_is_the_average_and_the_run_keeps_its_weights(tmp_path: Path) -> None:
    run = training(tmp_path)
    losses(run, steps=7)
    last = stage_of(run).line.weight.item()
    averages = torch.load(tmp_path / "state" / "ema.pt", weights_only=True)["shadow_params"]
    assert last != averages[0].item()
    run.take_average()
    assert stage_of(run).line.weight.item() == averages[0].item()
    finished = training(tmp_path)
    losses(finished)
    averages = torch.load(tmp_path / "state" / "ema.pt", weights_only=True)["shadow_params"]
    result = torch.load(tmp_path / "checkpoint" / "line.pt", weights_only=True)
    assert result["weight"].item() == averages[0].half().item()


def test_a_fault_while_a_sample_is_drawn_leaves_the_weights(tmp_path: Path) -> None:
    class Faulty(BrightnessTraining):
        def sample(self, batch: Batch, _seed: int) -> Clip:
            raise RuntimeError(f"no sample of {batch.captions[0]}")

    stage = Faulty(Recipe(phases=PHASES, warmup=1))
    run = Training(stage, GrayClips(), tmp_path, None, rhythm=Rhythm(save_every=2, sample_every=3))
    with pytest.raises(RuntimeError, match="no sample"):
        run.run(lambda _: None)
    at_fault = stage.line.weight.item()
    healthy = training(tmp_path / "healthy")
    losses(healthy, steps=3)
    assert at_fault == stage_of(healthy).line.weight.item()


def test_samples_are_drawn_of_the_first_clip_whole(tmp_path: Path) -> None:
    drawn: list[Batch] = []

    class Sampled(BrightnessTraining):
        def sample(self, batch: Batch, seed: int) -> Clip:
            drawn.append(batch)
            return super().sample(batch, seed)

    stage = Sampled(Recipe(phases=(Phase(5, 2, crop=(2, 2)),)))
    Training(stage, GrayClips(), tmp_path, None, rhythm=Rhythm(1000, sample_every=2)).run(lambda _: None)
    assert [(batch.captions, batch.frames.shape[-2:]) for batch in drawn] == [(("gray 0",), (4, 4))] * 2
    assert {batch.frames.shape[-2:] for batch in stage.batches} == {(2, 2)}
    assert sorted(file.name for file in (tmp_path / "samples").iterdir()) == ["000002.png", "000004.png"]


def test_every_step_has_clips_of_its_own_and_a_phase_may_have_none(tmp_path: Path) -> None:
    phases = (Phase(2, 2), Phase(1, 2, "nothing"))
    run = training(tmp_path, phases, accumulation=2)
    losses(run)
    captions = [batch.captions for batch in stage_of(run).batches]
    pairs = [(f"gray {2 * number}", f"gray {2 * number + 1}") for number in range(4)]
    assert captions == [*pairs, (), ()]


def test_another_run_is_not_gone_on_with(tmp_path: Path) -> None:
    losses(training(tmp_path), steps=1)
    other = training(tmp_path)
    other.seed = 1
    with pytest.raises(TrainingError, match="whose seed is 0, not 1"):
        other.run(lambda _: None)
    longer = training(tmp_path, (replace(PHASES[0], steps=4), PHASES[1]))
    with pytest.raises(TrainingError, match="whose recipe is"):
        longer.run(lambda _: None)


def test_a_result_is_laid_over_the_checkpoint_it_began_from(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "tokenizer.json").write_text("{}")
    (tmp_path / "run" / "checkpoint").mkdir(parents=True)
    (tmp_path / "run" / "checkpoint" / "stale").touch()
    run = replace(training(tmp_path / "run"), source=tmp_path / "source")
    losses(run)
    assert {file.name for file in (tmp_path / "run" / "checkpoint").iterdir()} == {
        "tokenizer.json",
        "line.pt",
    }


def test_files_that_were_skipped_are_gathered(tmp_path: Path) -> None:
    @dataclass
    class Skipping(GrayClips):
        def __getitem__(self, index: int, /) -> CaptionedClip:
            return replace(super().__getitem__(index), skipped=(Path(f"{index % 2}.mp4"),))

    run = replace(training(tmp_path), clips=Skipping())
    losses(run, steps=2)
    assert run.skipped == {Path("0.mp4"), Path("1.mp4")}


@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_told_to_stop_saves_says_where_and_goes_on_to_the_bit(
    told: signal.Signals, tmp_path: Path
) -> None:
    expected = losses(training(tmp_path / "whole"))
    run = replace(training(tmp_path / "cut"), rhythm=Rhythm(save_every=1000, sample_every=1000))
    first: list[float] = []

    def report(progress: Progress) -> None:
        first.append(progress.loss)
        if progress.step == 4:
            os.kill(os.getpid(), told)

    before = signal.getsignal(told)
    with pytest.raises(TrainingStopped, match=r"stopped after step 5 of 8, which is saved in .*cut/state"):
        run.run(report)
    assert signal.getsignal(told) is before
    assert first + losses(training(tmp_path / "cut")) == expected


@pytest.mark.parametrize(
    ("part", "damage"),
    [
        ("run", "cut off"),
        ("run", "garbage"),
        ("stage", "another's"),
        ("ema", "another's"),
        ("optimizer", "cut off"),
        ("optimizer", "gone"),
    ],
)
def test_a_damaged_state_is_named_with_what_to_do(part: str, damage: str, tmp_path: Path) -> None:
    losses(training(tmp_path), steps=2)
    file = tmp_path / "state" / f"{part}.pt"
    content = file.read_bytes()
    if damage == "another's":
        torch.save({"shadow_params": [], "gone": torch.zeros(3)}, file)
    elif damage == "gone":
        file.unlink()
    else:
        file.write_bytes(content[: len(content) // 2] if damage == "cut off" else b"garbage" * 100)
    with pytest.raises(TrainingError) as refused:
        training(tmp_path).run(lambda _progress: None)
    assert f"{file} is damaged" in str(refused.value)
    assert "delete that folder to begin again" in str(refused.value)
    file.write_bytes(content)
    assert len(losses(training(tmp_path))) == 6


def test_an_output_that_cannot_be_written_is_found_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "runs").touch()
    with pytest.raises(OutputError, match="cannot be written to"):
        training(tmp_path / "runs" / "keyframes").run(lambda _progress: pytest.fail("it began"))
