"""Training of every stage: what learns, what it is shown, and that a run goes on to the bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from accelerate.state import AcceleratorState
from diffusers import DDIMScheduler
from safetensors.torch import load_file

from cascade.models.checkpoints.files import read_weights
from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.families.shapes.caption_prior import LAYOUT_CHANNELS
from cascade.models.families.shapes.moving_shapes import MovingShapes
from cascade.models.families.show1.motion_training import OneVideo
from cascade.models.families.show1.super_resolution import resize
from cascade.models.families.show1.training import TRAININGS, layout_target
from cascade.models.generate import generate
from cascade.models.layers.temporal import is_temporal
from cascade.models.presets.table import SHAPES
from cascade.models.runtime.execution import Execution
from cascade.models.training.batch import Batch, Batches, random_crop
from cascade.models.training.diffusion import draw_timesteps, noised, prediction_loss
from cascade.models.training.loop import Progress, Rhythm, Training
from cascade.models.training.recipe import RECIPES, Phase, Recipe
from cascade.models.training.text_conditioning import CaptionEncoder

RECIPE = Recipe(phases=())
SMALL: dict[str, tuple[Phase, ...]] = {
    "keyframes": (
        Phase(1, 2, "reading", train_text=True),
        Phase(1, 2, "layout", train_text=True),
        Phase(1, 2, "spatial"),
        Phase(2, 1),
    ),
    "interpolation": (Phase(4, 1),),
    "super-resolution": (Phase(4, 1, crop=(40, 64)),),
    "autoencoder": (Phase(4, 2, crop=(64, 64)),),
    "expert-translation": (Phase(4, 1, train_text=True),),
}
PRECISION = {"interpolation": "bf16"}
ACCUMULATION = {"autoencoder": 2}


@pytest.fixture(autouse=True)
def as_in_a_process_of_its_own() -> None:
    """accelerate settles on one precision in a process; here they take turns."""
    AcceleratorState._reset_state()


def training(
    stage: str, checkpoints: Path, folder: Path, phases: tuple[Phase, ...] | None = None
) -> Training:
    kind, kind_of_training = TRAININGS[stage]
    spec = replace(SHAPES.stage(kind), steps=2)
    recipe = replace(
        RECIPES["shapes"][stage], phases=phases or SMALL[stage], accumulation=ACCUMULATION.get(stage, 1)
    )
    found = Checkpoints(checkpoints)
    return Training(
        kind_of_training.load(spec, recipe, found),
        MovingShapes(
            "train",
            min(spec.frames, 9) if stage == "expert-translation" else spec.frames,
            spec.height,
            spec.width,
        ),
        folder,
        found.path(spec.checkpoint),
        precision=PRECISION.get(stage, "no"),
        rhythm=Rhythm(save_every=1, sample_every=1000),
    )


def losses(run: Training, steps: int | None = None) -> list[float]:
    seen: list[Progress] = []
    run.run(seen.append, steps)
    return [progress.loss for progress in seen]


@pytest.mark.slow
@pytest.mark.parametrize("stage", TRAININGS)
def test_a_run_that_was_cut_goes_on_to_the_bit(stage: str, shapes_checkpoints: Path, tmp_path: Path) -> None:
    whole = losses(training(stage, shapes_checkpoints, tmp_path / "whole"))
    last = len(whole) - 1  # in the middle of a phase
    cut = losses(training(stage, shapes_checkpoints, tmp_path / "cut"), steps=last)
    assert cut == whole[:last]
    assert not (tmp_path / "cut" / "checkpoint").exists()
    assert losses(training(stage, shapes_checkpoints, tmp_path / "cut")) == whole[last:]
    curves = [
        [line.split(",")[:2] for line in (tmp_path / name / "loss.csv").read_text().splitlines()]
        for name in ("whole", "cut")
    ]
    assert curves[0] == curves[1]
    assert len(curves[0]) == len(whole) + 1
    assert (tmp_path / "cut" / "loss.png").stat().st_size > 1000
    results = [tmp_path / name / "checkpoint" for name in ("whole", "cut")]
    parts = [part.name for part in results[0].iterdir() if part.is_dir()]
    trained = "vae" if stage == "autoencoder" else "unet"
    assert trained in parts
    first, second = (read_weights(result / trained) for result in results)
    assert all(torch.equal(first[name], second[name]) for name in first)
    source = read_weights(training(stage, shapes_checkpoints, tmp_path / "new").source / trained)
    assert any(not torch.equal(first[name], source[name].to(first[name])) for name in first)
    written = "".join(file.read_text() for file in results[0].rglob("*.json"))
    assert str(shapes_checkpoints) not in written  # no paths of whoever trained it


@pytest.mark.slow
def test_what_was_trained_runs_in_the_cascade(shapes_checkpoints: Path, tmp_path: Path) -> None:
    run = training("keyframes", shapes_checkpoints, tmp_path / "run", (Phase(2, 2, "spatial"),))
    losses(run)
    (tmp_path / "checkpoints" / "shapes").mkdir(parents=True)
    (tmp_path / "run" / "checkpoint").rename(tmp_path / "checkpoints" / "shapes" / "keyframes")
    (spec, *_) = SHAPES.resolve(steps={"keyframes": 2})
    found = Checkpoints(tmp_path / "checkpoints")
    quiet: Callable[..., None] = lambda *_: None  # noqa: E731
    clip = generate((spec,), "a red circle", (7,), found, lambda _: Execution(), None, quiet, quiet)
    assert clip.frames.shape == (1, 8, 3, 20, 32)


@pytest.mark.slow
def test_the_loss_falls(shapes_checkpoints: Path, tmp_path: Path) -> None:
    """On one clip, which a network learns soon."""
    run = training("autoencoder", shapes_checkpoints, tmp_path, (Phase(60, 2, learning_rate=2e-3),))
    clip = MovingShapes("train", 3, 64, 96)[0]
    run.clips = OneVideo(clip.frames, clip.caption)
    seen = losses(run)
    assert sum(seen[-5:]) < 0.5 * sum(seen[:5])


def test_a_phase_trains_the_layers_it_names(shapes_checkpoints: Path, tmp_path: Path) -> None:
    stage = training("keyframes", shapes_checkpoints, tmp_path).stage
    temporal = {name for name, _ in stage.unet.named_parameters() if is_temporal(name)}
    layout = {name for name, _ in stage.unet.named_parameters() if name.startswith("layout.")}
    everything = {name for name, _ in stage.unet.named_parameters()}
    for trainable, expected in (
        ("temporal", temporal),
        ("spatial", everything - temporal - layout),
        ("layout", layout),
        ("all", everything - layout),
    ):
        stage.select(Phase(1, 1, trainable))
        assert {name for name, p in stage.unet.named_parameters() if p.requires_grad} == expected


def test_interpolation_begins_as_keyframes_with_new_channels_at_zero(shapes_checkpoints: Path) -> None:
    keyframes = read_weights(shapes_checkpoints / "shapes" / "keyframes" / "unet")
    stage = training("interpolation", shapes_checkpoints, Path()).stage
    last = stage.unet.conv_out.weight.clone()
    stage.start_from(keyframes)
    own, known = stage.unet.state_dict(), 3 * stage.unet.config.patch_size**2
    assert torch.equal(own["conv_in.weight"][:, :known], keyframes["conv_in.weight"][:, :known])
    assert not own["conv_in.weight"][:, known:].any()
    assert torch.equal(own["conv_out.weight"], last)
    others = [name for name in own if not name.startswith(("conv_in", "conv_out"))]
    assert all(torch.equal(own[name], keyframes[name]) for name in others)


def test_the_expert_never_sees_the_last_tenth_of_the_schedule() -> None:
    recipe = RECIPES["shapes"]["expert-translation"]
    drawn = draw_timesteps(20_000, recipe, torch.Generator().manual_seed(0))
    assert (int(drawn.min()), int(drawn.max())) == (0, 900)


def test_timesteps_are_uniform_unless_high_noise_is_wanted() -> None:
    generator = torch.Generator().manual_seed(0)
    uniform = draw_timesteps(50_000, RECIPE, generator)
    assert abs(float((uniform >= 600).float().mean()) - 0.4) < 0.01
    often = draw_timesteps(50_000, replace(RECIPE, high_noise_share=0.5), generator)
    assert abs(float((often >= 600).float().mean()) - 0.7) < 0.01


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction", "sample"])
def test_targets_are_the_papers(prediction_type: str) -> None:
    scheduler = DDIMScheduler(beta_schedule="squaredcos_cap_v2", prediction_type=prediction_type)
    clean = torch.randn(3, 2, 4, 5, 6)
    sample, timesteps, target = noised(clean, RECIPE, scheduler, torch.Generator().manual_seed(0))
    alpha = scheduler.alphas_cumprod[timesteps].sqrt()[:, None, None, None, None]
    sigma = (1 - scheduler.alphas_cumprod[timesteps]).sqrt()[:, None, None, None, None]
    noise = (sample - alpha * clean) / sigma
    expected = {"epsilon": noise, "v_prediction": alpha * noise - sigma * clean, "sample": clean}[
        prediction_type
    ]
    torch.testing.assert_close(target, expected, atol=2e-3, rtol=1e-3)


def test_channels_of_a_learned_variance_are_left_out_of_the_loss() -> None:
    target = torch.zeros(1, 3, 2, 2, 2)
    prediction = torch.cat([target + 2, target + 100], dim=1)
    assert prediction_loss(prediction, target) == 4


def test_captions_are_dropped_as_often_as_the_recipe_says(shapes_checkpoints: Path) -> None:
    text = Checkpoints(shapes_checkpoints).t5("shapes/keyframes", Execution(device="cpu"))
    captions = CaptionEncoder(text)
    features = captions(["a red circle"] * 400, 0.25, torch.Generator().manual_seed(0))
    kept = text.encode("a red circle", "")
    same = [torch.allclose(one, kept.prompt[0], atol=1e-4) for one in features]
    assert abs(sum(same) / 400 - 0.75) < 0.06
    dropped = features[same.index(False)]
    torch.testing.assert_close(dropped, kept.negative[0], atol=1e-4, rtol=1e-3)


def test_a_crop_is_the_same_in_every_frame() -> None:
    frames = torch.arange(2 * 3 * 1 * 20 * 32).float().reshape(2, 3, 1, 20, 32)
    cut = random_crop(frames, (8, 8), torch.Generator().manual_seed(1))
    assert cut.shape == (2, 3, 1, 8, 8)
    assert torch.equal(cut[:, 1] - cut[:, 0], torch.full((2, 1, 8, 8), 20.0 * 32))


def test_a_layout_learns_colours_and_where_there_are_moving_shapes_their_kinds() -> None:
    batch = Batches(MovingShapes("train", 8, 20, 32), 2, None, 0)[0]
    target = layout_target(batch)
    assert target.shape == (2, LAYOUT_CHANNELS, 8, 20, 32)
    assert torch.equal(target[:, :3], batch.frames.transpose(1, 2))
    assert target[:, 3:].amax(dim=(2, 3, 4)).count_nonzero(dim=1).tolist() == [
        len({scene.shape, scene.second.shape} if scene.second else {scene.shape}) for scene in batch.scenes
    ]
    assert layout_target(Batch(batch.frames, batch.captions)).shape[1] == 3
    assert Batches(MovingShapes("train", 8, 20, 32), 2, (10, 16), 0)[0].scenes == ()


def test_another_run_is_not_gone_on_with(shapes_checkpoints: Path, tmp_path: Path) -> None:
    phases = (Phase(2, 1, crop=(32, 32)),)
    losses(training("autoencoder", shapes_checkpoints, tmp_path, phases), steps=1)
    other = training("autoencoder", shapes_checkpoints, tmp_path, phases)
    other.seed = 1
    with pytest.raises(ValueError, match="whose seed is 0, not 1"):
        other.run(lambda _: None)
    longer = training("autoencoder", shapes_checkpoints, tmp_path, (replace(phases[0], steps=3),))
    with pytest.raises(ValueError, match="whose recipe is"):
        longer.run(lambda _: None)


def test_frozen_networks_are_neither_averaged_nor_saved(shapes_checkpoints: Path, tmp_path: Path) -> None:
    """A T5 XXL that never learns would be twice in memory, and in every saved state."""
    run = training("super-resolution", shapes_checkpoints, tmp_path, (Phase(1, 1, crop=(40, 64)),))
    losses(run)
    saved = torch.load(tmp_path / "state" / "stage.pt", weights_only=True)
    assert {name.split(".")[0] for name in saved} == {"unet"}
    averaged = torch.load(tmp_path / "state" / "ema.pt", weights_only=True)["shadow_params"]
    assert len(averaged) == len(list(run.stage.unet.parameters()))


def test_captions_are_read_as_the_stage_reads_prompts(shapes_checkpoints: Path) -> None:
    text = Checkpoints(shapes_checkpoints).t5("shapes/keyframes", Execution(device="cpu"))
    features = CaptionEncoder(text)(["  A Red Circle"], 0.0, torch.Generator())
    torch.testing.assert_close(features, text.encode("a red circle", "").prompt, atol=1e-4, rtol=1e-3)


def test_super_resolution_learns_from_the_condition_that_it_will_be_given(
    shapes_checkpoints: Path, tmp_path: Path
) -> None:
    """A crop of the whole picture's resized low resolution, not the resized low resolution of a crop."""
    stage = training("super-resolution", shapes_checkpoints, tmp_path).stage
    stage.recipe = replace(stage.recipe, max_noise_level=0, previous_dropout=0.0)
    batch = Batches(MovingShapes("train", 8, 80, 128), 1, None, 0)[0]
    low = torch.nn.functional.interpolate(batch.frames[0], scale_factor=0.25, mode="area")[None]
    whole = resize(low, 80, 128)
    seen: list[torch.Tensor] = []
    stage.unet.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0][:, 3:]))
    stage(batch, Phase(1, 1, crop=(40, 64)), torch.Generator().manual_seed(0))
    cropped = seen[0][:, :, 1:]
    places = [
        (top, left)
        for top in range(41)
        for left in range(65)
        if torch.allclose(whole[:, :, 1:, top : top + 40, left : left + 64], cropped, atol=0.05)
    ]
    assert places


def test_the_small_cascade_fits_into_the_repository(shapes_checkpoints: Path) -> None:
    """24 MiB in half precision, all stages together."""
    parameters = 0
    for stage in (shapes_checkpoints / "shapes").iterdir():
        for part in ("unet", "vae", "text_encoder"):
            if (stage / part).is_dir():
                for file in (stage / part).glob("*.safetensors"):
                    parameters += sum(tensor.numel() for tensor in load_file(file).values())
    assert parameters * 2 < 24 * 2**20
