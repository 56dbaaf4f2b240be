"""Training by the registry: parts and their order, clips, checkpoints, and what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from accelerate.state import AcceleratorState

from cascade.models.checkpoints.files import read_weights
from cascade.models.clip import Clip
from cascade.models.errors import InvalidParameter, TrainingError, VideoFileError
from cascade.models.families.shapes import recipes
from cascade.models.families.shapes.moving_shapes import MovingShapes
from cascade.models.families.shapes.random_checkpoints import create_random_shapes
from cascade.models.families.shapes.training import SmallInterpolationTraining
from cascade.models.families.show1.latent_training import AutoencoderTraining
from cascade.models.families.show1.training import InterpolationTraining
from cascade.models.media.video import write_mp4
from cascade.models.presets.table import get_preset
from cascade.models.train import TrainingRun, train_motion_from_video, trainable_parts, training_of
from cascade.models.training.progress import Progress
from cascade.models.training.recipe import Phase, Recipe

PARTS = ("keyframes", "interpolation", "super-resolution", "autoencoder", "expert-translation")


@pytest.fixture(autouse=True)
def _as_in_a_process_of_its_own() -> None:
    """Accelerate settles on one precision in a process; here they take turns."""
    AcceleratorState._reset_state()


def ignore(_progress: Progress) -> None:
    """Progress that nobody watches."""


def test_parts_are_trained_in_the_order_of_their_recipes() -> None:
    assert trainable_parts("show-1") == PARTS
    assert trainable_parts("shapes") == (*PARTS[:3], "first-frame", *PARTS[3:])


def test_a_part_is_trained_by_what_the_registry_names() -> None:
    assert training_of(get_preset("show-1"), "interpolation")[1] is InterpolationTraining
    assert training_of(get_preset("shapes"), "interpolation")[1] is SmallInterpolationTraining
    spec, training = training_of(get_preset("shapes"), "autoencoder")
    assert (spec.name, training) == ("expert-translation", AutoencoderTraining)


def test_a_preset_without_recipes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match='no recipe for preset "wan"; choose one of shapes, show-1'):
        trainable_parts("wan")
    with pytest.raises(InvalidParameter, match='no preset "nothing"'):
        TrainingRun("nothing", tmp_path, tmp_path).train("keyframes", ignore)


def test_a_part_that_there_is_not_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        TrainingError, match='no recipe for "painting"; choose one of keyframes, interpolation'
    ):
        TrainingRun("shapes", tmp_path, tmp_path / "checkpoints").train("painting", ignore)
    with pytest.raises(TrainingError, match='no training of "text-to-video"'):
        training_of(get_preset("wan"), "text-to-video")
    assert not list(tmp_path.iterdir())


def test_a_preset_without_clips_of_its_own_needs_a_list_of_videos(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r'"show-1" has no clips .*--data'):
        TrainingRun("show-1", tmp_path, tmp_path / "checkpoints").train("keyframes", ignore)


def test_shipped_weights_are_not_mixed_with_those_of_the_folder(tmp_path: Path) -> None:
    create_random_shapes(tmp_path / "checkpoints")
    shutil.rmtree(tmp_path / "checkpoints" / "shapes" / "super-resolution")
    with pytest.raises(TrainingError, match="lacks shapes/super-resolution"):
        TrainingRun("shapes", tmp_path, tmp_path / "checkpoints").train("super-resolution", ignore, 1)


def test_a_trained_part_takes_its_place_among_the_checkpoints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = Recipe(phases=(Phase(2, 1, crop=(16, 16)),), warmup=1)
    monkeypatch.setattr(recipes, "RECIPES", {"shapes": {"super-resolution": recipe}})
    run = TrainingRun("shapes", tmp_path / "runs", tmp_path / "checkpoints")
    assert not run.train("super-resolution", ignore, steps=1).finished
    folder = tmp_path / "checkpoints" / "shapes"
    before = read_weights(folder / "super-resolution" / "unet")
    AcceleratorState._reset_state()
    assert run.train("super-resolution", ignore).finished
    after = read_weights(folder / "super-resolution" / "unet")
    assert after.keys() == before.keys()
    assert any(not torch.equal(after[name], before[name].to(after[name])) for name in after)
    stages = {"keyframes", "interpolation", "super-resolution", "first-frame", "expert-translation"}
    assert {path.name for path in folder.iterdir()} == stages  # nothing of before is left beside them


def test_video_files_are_strided_to_the_frame_rate_of_a_stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keyframes at 2 frames per second keep every fourth of the frames that the last stage, at 8, keeps."""
    frames = MovingShapes("train", 30, 20, 32)[0].frames
    write_mp4(Clip(frames[None], 8), tmp_path / "long.mp4")  # 29 frames are needed for 8 keyframes
    write_mp4(Clip(frames[None, :28], 8), tmp_path / "short.mp4")
    rows = "long.mp4,a red circle\nshort.mp4,a blue square\n"
    (tmp_path / "list.csv").write_text("video,caption\n" + rows)
    monkeypatch.setattr(
        recipes, "RECIPES", {"shapes": {"keyframes": Recipe(phases=(Phase(1, 2, "spatial"),))}}
    )
    run = TrainingRun("shapes", tmp_path / "runs", tmp_path / "checkpoints", data=tmp_path / "list.csv")
    outcome = run.train("keyframes", ignore)
    assert {path.name for path in outcome.skipped} == {"short.mp4"}


def test_a_wrong_list_of_videos_is_refused(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("video,caption\n")
    run = TrainingRun("shapes", tmp_path / "runs", tmp_path / "checkpoints", data=tmp_path / "list.csv")
    with pytest.raises(VideoFileError, match="lists no videos"):
        run.train("keyframes", ignore)


def motion(preset: str, video: Path, folder: Path) -> bytes:
    return train_motion_from_video(
        video, "a circle", preset, 1, folder / "checkpoints", folder / "scratch", ignore, 1
    )


def test_a_motion_is_trained_from_a_video(tmp_path: Path) -> None:
    frames = MovingShapes("train", 8, 20, 32)[0].frames
    write_mp4(Clip(frames[None], 8), tmp_path / "video.mp4")
    assert len(motion("shapes", tmp_path / "video.mp4", tmp_path)) > 1000
    write_mp4(Clip(frames[None, :7], 8), tmp_path / "short.mp4")
    with pytest.raises(VideoFileError, match="has 7 frames; 8 are needed"):
        motion("shapes", tmp_path / "short.mp4", tmp_path)


def test_a_preset_that_takes_no_motions_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match='"wan" takes no motions'):
        motion("wan", tmp_path / "video.mp4", tmp_path)
