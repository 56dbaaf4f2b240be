"""Training of every part of the small cascade: what learns, what it is shown, and that a run goes on to the bit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from accelerate.state import AcceleratorState
from safetensors.torch import load_file

from cascade.models.checkpoints.files import read_weights
from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.families.shapes.caption_prior import PRIOR_CHANNELS
from cascade.models.families.shapes.moving_shapes import Annotation, MovingShapes
from cascade.models.families.shapes.recipes import RECIPES
from cascade.models.families.shapes.training import (
    FirstFrameTraining,
    SmallKeyframesTraining,
    prior_target,
    train_motion,
    training_layouts,
)
from cascade.models.families.shapes.unet import ShapesUNet
from cascade.models.families.show1.motion import motion_of, unpack_motion
from cascade.models.families.show1.motion_training import OneVideo
from cascade.models.generate import run_stages
from cascade.models.layers.temporal import is_temporal
from cascade.models.presets.shapes import SHAPES
from cascade.models.runtime.execution import Execution
from cascade.models.train import trainable_parts, training_of
from cascade.models.training.batch import Batch, Batches
from cascade.models.training.loop import Training
from cascade.models.training.progress import Progress, Rhythm
from cascade.models.training.recipe import Phase

SMALL: dict[str, tuple[Phase, ...]] = {
    "keyframes": (
        Phase(1, 2, "questions", train_text=True),
        Phase(1, 2, "prior", train_text=True),
        Phase(1, 2, "spatial"),
        Phase(2, 1),
    ),
    "interpolation": (Phase(4, 1),),
    "super-resolution": (Phase(4, 1, crop=(40, 64)),),
    "first-frame": (Phase(4, 2, crop=(40, 64)),),
    "autoencoder": (Phase(4, 2, crop=(64, 64)),),
    "expert-translation": (Phase(4, 1, train_text=True),),
}
PRECISION = {"interpolation": "bf16"}
ACCUMULATION = {"autoencoder": 2}
CPU = Execution(device="cpu")


@pytest.fixture(autouse=True)
def _as_in_a_process_of_its_own() -> None:
    """Accelerate settles on one precision in a process; here they take turns."""
    AcceleratorState._reset_state()


def training(part: str, checkpoints: Path, folder: Path, phases: tuple[Phase, ...] | None = None) -> Training:
    spec, kind = training_of(SHAPES, part)
    spec = replace(spec, steps=2)
    recipe = replace(
        RECIPES["shapes"][part], phases=phases or SMALL[part], accumulation=ACCUMULATION.get(part, 1)
    )
    found = Checkpoints(checkpoints)
    frames = min(spec.frames, 9) if part == "expert-translation" else spec.frames
    stage = kind.load(spec, recipe, found, SHAPES)
    return Training(
        stage,
        MovingShapes("train", frames, spec.height, spec.width),
        folder,
        found.path(stage.checkpoint),
        precision=PRECISION.get(part, "no"),
        rhythm=Rhythm(save_every=1, sample_every=1000),
    )


def losses(run: Training, steps: int | None = None) -> list[float]:
    reports: list[Progress] = []
    run.run(reports.append, steps)
    return [progress.loss for progress in reports]


def keyframes(checkpoints: Path) -> SmallKeyframesTraining:
    stage = training("keyframes", checkpoints, Path()).stage
    assert isinstance(stage, SmallKeyframesTraining)
    return stage


def test_every_part_has_a_small_recipe_here() -> None:
    assert trainable_parts("shapes") == tuple(SMALL)


@pytest.mark.slow
@pytest.mark.parametrize("part", SMALL)
def test_a_run_that_was_cut_goes_on_to_the_bit(part: str, shapes_checkpoints: Path, tmp_path: Path) -> None:
    whole = losses(training(part, shapes_checkpoints, tmp_path / "whole"))
    last = len(whole) - 1  # in the middle of a phase
    cut = losses(training(part, shapes_checkpoints, tmp_path / "cut"), steps=last)
    assert cut == whole[:last]
    assert losses(training(part, shapes_checkpoints, tmp_path / "cut")) == whole[last:]
    results = [tmp_path / name / "checkpoint" for name in ("whole", "cut")]
    trained = "vae" if part == "autoencoder" else "unet"
    first, second = (read_weights(result / trained) for result in results)
    assert all(torch.equal(first[name], second[name]) for name in first)
    source = read_weights(
        Checkpoints(shapes_checkpoints).path(training_of(SHAPES, part)[0].checkpoint) / trained
    )
    assert any(not torch.equal(first[name], source[name].to(first[name])) for name in first)
    written = "".join(file.read_text() for file in results[0].rglob("*.json"))
    assert str(shapes_checkpoints) not in written  # no paths of whoever trained it


@pytest.mark.slow
def test_what_was_trained_runs_in_the_cascade(shapes_checkpoints: Path, tmp_path: Path) -> None:
    losses(training("keyframes", shapes_checkpoints, tmp_path / "run", (Phase(2, 2, "spatial"),)))
    (tmp_path / "checkpoints" / "shapes").mkdir(parents=True)
    (tmp_path / "run" / "checkpoint").rename(tmp_path / "checkpoints" / "shapes" / "keyframes")
    (spec, *_) = SHAPES.resolve(steps={"keyframes": 2})
    found = Checkpoints(tmp_path / "checkpoints")
    clip = run_stages((spec,), "a red circle", (7,), found, lambda _: CPU)
    untrained = run_stages((spec,), "a red circle", (7,), Checkpoints(shapes_checkpoints), lambda _: CPU)
    assert clip.frames.shape == (1, 8, 3, 20, 32)
    assert not torch.equal(clip.frames, untrained.frames)


@pytest.mark.slow
def test_the_loss_falls(shapes_checkpoints: Path, tmp_path: Path) -> None:
    """On one clip, which a network learns soon."""
    run = training("autoencoder", shapes_checkpoints, tmp_path, (Phase(60, 2, learning_rate=2e-3),))
    clip = MovingShapes("train", 3, 64, 96)[0]
    run.clips = OneVideo(clip.frames, clip.caption)
    values = losses(run)
    assert sum(values[-5:]) < 0.5 * sum(values[:5])


def test_a_phase_trains_the_layers_it_names(shapes_checkpoints: Path) -> None:
    stage = keyframes(shapes_checkpoints)
    everything = {name for name, _ in stage.unet.named_parameters()}
    temporal = {name for name in everything if is_temporal(name)}
    prior = {name for name in everything if name.startswith("prior.")}
    assert temporal
    assert prior
    for trainable, expected in (
        ("temporal", temporal),
        ("spatial", everything - temporal - prior),
        ("prior", prior),
        ("questions", {name for name in prior if name.startswith(("prior.norm_text.", "prior.layers."))}),
        ("all", everything - prior),
    ):
        stage.select(Phase(1, 1, trainable, train_text=trainable == "questions"))
        assert {name for name, p in stage.unet.named_parameters() if p.requires_grad} == expected
        questions = {p.requires_grad for p in stage.questions.parameters()}
        assert questions == {trainable == "questions"}
        assert next(stage.captions.parameters()).requires_grad == (trainable == "questions")


def test_questions_need_no_clips(shapes_checkpoints: Path) -> None:
    stage = keyframes(shapes_checkpoints)
    phases = RECIPES["shapes"]["keyframes"].phases
    assert [stage.clips_per_step(phase) for phase in phases] == [0, 0, 64, 64, 8, 8]
    batch = Batch(torch.empty(0), ())
    loss = stage(batch, Phase(1, 8, "questions", train_text=True), torch.Generator().manual_seed(0))
    assert loss > 1


def test_the_first_phases_reach_the_text_encoder(shapes_checkpoints: Path) -> None:
    batch = Batches(MovingShapes("train", 8, 20, 32), 2, None, 0)[0]
    for trainable in ("questions", "prior"):
        stage = keyframes(shapes_checkpoints)
        phase = Phase(1, 2, trainable, train_text=True)
        stage.select(phase)
        stage(batch, phase, torch.Generator().manual_seed(0)).backward()
        gradients = [parameter.grad for parameter in stage.captions.encoder.parameters()]
        assert any(gradient is not None and gradient.any() for gradient in gradients)


def test_images_see_the_prior_of_their_own_frame(shapes_checkpoints: Path) -> None:
    """The prior of frame k of the clip goes with frame k, not with the first one."""
    stage = keyframes(shapes_checkpoints)
    stage.recipe = replace(stage.recipe, caption_dropout=0.0, max_timestep=0, high_noise_share=0.0)
    batch = Batches(MovingShapes("train", 8, 20, 32), 4, None, 0)[0]
    inputs: list[tuple[torch.Tensor, torch.Tensor]] = []
    stage.unet.register_forward_pre_hook(
        lambda _network, args, options: inputs.append((args[0], options["prior"])), with_kwargs=True
    )
    stage(batch, Phase(1, 4, "spatial"), torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(0)
    text = stage.captions(batch.captions, 0.0, generator)
    priors = stage.unet.prior_of(text, training_layouts(batch, generator), (8, 20, 32))
    sample, prior = inputs[0]
    assert prior.shape == (4, PRIOR_CHANNELS, 1, 20, 32)
    for clip in range(4):
        frames = [k for k in range(8) if torch.allclose(prior[clip, :, 0], priors[clip, :, k], atol=1e-5)]
        errors = [float((sample[clip, :, 0] - frame).abs().mean()) for frame in batch.frames[clip]]
        assert len(frames) == 1
        assert errors[frames[0]] == min(errors)


def test_the_first_frame_is_learned_in_a_checkpoint_of_its_own(
    shapes_checkpoints: Path, tmp_path: Path
) -> None:
    run = training("first-frame", shapes_checkpoints, tmp_path)
    assert isinstance(run.stage, FirstFrameTraining)
    assert run.stage.checkpoint == "shapes/first-frame"
    clip = run.stage.sample(Batches(run.clips, 1, None, 0)[0], 7)
    assert clip.frames.shape == (1, 1, 3, 80, 128)


def test_a_prior_learns_colours_and_where_scenes_are_known_their_kinds_of_shape() -> None:
    batch = Batches(MovingShapes("train", 8, 20, 32), 2, None, 0)[0]
    target = prior_target(batch)
    assert target.shape == (2, PRIOR_CHANNELS, 8, 20, 32)
    assert torch.equal(target[:, :3], batch.frames.transpose(1, 2))
    scenes = [annotation.scene for annotation in batch.annotations if isinstance(annotation, Annotation)]
    assert target[:, 3:].amax(dim=(2, 3, 4)).count_nonzero(dim=1).tolist() == [
        len({scene.shape, scene.second.shape} if scene.second else {scene.shape}) for scene in scenes
    ]
    assert float(target[:, 3:].max()) == pytest.approx(2.0)
    assert prior_target(Batch(batch.frames, batch.captions)).shape[1] == 3
    assert Batches(MovingShapes("train", 8, 20, 32), 2, (10, 16), 0)[0].annotations == ()


@pytest.mark.slow
def test_a_motion_is_learned_by_the_network_within(shapes_checkpoints: Path, tmp_path: Path) -> None:
    spec = SHAPES.stage("keyframes")
    found = Checkpoints(shapes_checkpoints)
    sample = MovingShapes("train", 8, 20, 32)[0]
    reports: list[Progress] = []
    content = train_motion(spec, found, sample, tmp_path, reports.append, steps=4)
    assert len(reports) == 4
    assert len(content) < 3 * 2**20  # of a network of 16 MiB
    motion = unpack_motion(content)
    own = motion_of(found.network(spec.checkpoint, ShapesUNet, CPU).unet)
    assert motion.keys() == own.keys()  # without a prefix, as those of before
    assert any(not torch.equal(motion[name], own[name]) for name in own)


def test_the_small_cascade_fits_into_the_repository(shapes_checkpoints: Path) -> None:
    """24 MiB in half precision, all stages together."""
    parameters = 0
    for stage in (shapes_checkpoints / "shapes").iterdir():
        for part in ("unet", "vae", "text_encoder"):
            for file in (stage / part).glob("*.safetensors"):
                parameters += sum(tensor.numel() for tensor in load_file(file).values())
    assert 0 < parameters * 2 < 24 * 2**20
