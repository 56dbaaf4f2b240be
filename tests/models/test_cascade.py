"""The whole cascade in one process, with the untrained `shapes` networks and few steps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from cascade.models.checkpoints.files import SHIPPED
from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.clip import Clip
from cascade.models.errors import CheckpointError
from cascade.models.families.registry import load_stage
from cascade.models.families.shapes.random_checkpoints import create_random_shapes
from cascade.models.generate import generate
from cascade.models.presets.table import SHAPES, StageKind, StageSpec
from cascade.models.runtime.execution import Execution
from cascade.models.stage import StageInputs

FEW_STEPS = {"keyframes": 2, "interpolation": 1, "super-resolution": 1, "expert-translation": 2}


def make(
    folder: Path, prompt: str = "a red circle", seeds: tuple[int, ...] = (7,), upto: int = 2
) -> tuple[Clip, dict[StageKind, Clip]]:
    clips: dict[StageKind, Clip] = {}
    specs = SHAPES.resolve(steps=FEW_STEPS)[:upto]
    last = generate(
        specs,
        prompt,
        seeds,
        Checkpoints(folder),
        lambda _: Execution(device="cpu"),
        None,
        lambda *_: None,
        clips.__setitem__,
    )
    return last, clips


@pytest.mark.slow
def test_four_stages_give_29_frames_of_256_by_160(shapes_checkpoints: Path) -> None:
    last, clips = make(shapes_checkpoints, upto=4)
    assert {kind: tuple(clip.frames.shape) for kind, clip in clips.items()} == {
        "keyframes": (1, 8, 3, 20, 32),
        "interpolation": (1, 29, 3, 20, 32),
        "super-resolution": (1, 29, 3, 80, 128),
        "expert-translation": (1, 29, 3, 160, 256),
    }
    assert last.fps == 8
    assert torch.isfinite(last.frames).all()


def test_the_seed_and_the_prompt_fix_the_frames(shapes_checkpoints: Path) -> None:
    first = make(shapes_checkpoints)[0].frames
    assert torch.equal(first, make(shapes_checkpoints)[0].frames)
    assert not torch.equal(first, make(shapes_checkpoints, seeds=(8,))[0].frames)
    assert not torch.equal(first, make(shapes_checkpoints, prompt="a blue square")[0].frames)


def test_a_video_does_not_depend_on_its_neighbours_in_the_batch(shapes_checkpoints: Path) -> None:
    # Tolerance: kernels may sum in another order for another batch size; the noise is the same to the bit.
    alone = make(shapes_checkpoints, seeds=(7,))[0].frames
    both = make(shapes_checkpoints, seeds=(3, 7))[0].frames
    torch.testing.assert_close(both[1:], alone, rtol=1e-3, atol=1e-3)


def test_the_same_seed_makes_the_same_checkpoints(tmp_path: Path, shapes_checkpoints: Path) -> None:
    create_random_shapes(tmp_path)
    files = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file())
    assert len(files) > 15
    for file in files:
        assert (tmp_path / file).read_bytes() == (shapes_checkpoints / file).read_bytes(), file


def loaded(folder: Path, spec: StageSpec) -> object:
    return load_stage(spec, Checkpoints(folder), Execution(device="cpu"))


def test_a_missing_checkpoint_is_named_with_where_it_was_looked_for(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    spec = replace(SHAPES.stages[0], checkpoint="shapes/nowhere")
    with pytest.raises(CheckpointError, match=f"shapes/nowhere.*{tmp_path}.*shipped.*hub"):
        loaded(tmp_path, spec)


def test_a_checkpoint_in_the_folder_goes_before_the_one_that_is_shipped(tmp_path: Path) -> None:
    shipped = Checkpoints(tmp_path).path("shapes/keyframes")
    assert shipped == SHIPPED / "shapes" / "keyframes"
    (tmp_path / "shapes" / "keyframes").mkdir(parents=True)
    assert Checkpoints(tmp_path).path("shapes/keyframes") == tmp_path / "shapes" / "keyframes"


def test_a_missing_part_and_a_misfit_tensor_are_named(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    create_random_shapes(tmp_path)
    weights = tmp_path / "shapes" / "keyframes" / "unet" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(weights)
    tensors["conv_in.bias"] = torch.zeros(5)
    del tensors["conv_out.bias"]
    save_file(tensors, weights)
    with pytest.raises(
        CheckpointError, match=r"missing conv_out\.bias \(12,\); conv_in\.bias is \(5,\), not \(64,\)"
    ):
        loaded(tmp_path, SHAPES.stages[0])
    weights.unlink()
    with pytest.raises(CheckpointError, match=r"no weights in .*keyframes/unet"):
        loaded(tmp_path, SHAPES.stages[0])
    weights.parent.joinpath("config.json").unlink()
    with pytest.raises(CheckpointError, match=r"config\.json is missing"):
        loaded(tmp_path, SHAPES.stages[0])


def test_pytorch_weights_are_read_as_tensors_and_nothing_else(tmp_path: Path) -> None:
    from safetensors.torch import load_file

    create_random_shapes(tmp_path)
    folder = tmp_path / "shapes" / "keyframes"
    plain = loaded(tmp_path, SHAPES.stages[0])
    for file in (folder / "unet" / "diffusion_pytorch_model", folder / "text_encoder" / "model"):
        weights = file.with_suffix(".safetensors")
        name = "pytorch_model.fp16.bin" if file.name == "model" else "diffusion_pytorch_model.fp16.bin"
        torch.save(load_file(weights), file.with_name(name))
        weights.unlink()
    again = loaded(tmp_path, SHAPES.stages[0])
    assert torch.equal(again.unet.conv_in.weight, plain.unet.conv_in.weight)
    expected = plain.text.encode("a red circle", "").prompt
    assert torch.equal(again.text.encode("a red circle", "").prompt, expected)

    torch.save({"conv_in.weight": print}, folder / "unet" / "diffusion_pytorch_model.fp16.bin")
    with pytest.raises(CheckpointError, match="more than tensors"):
        loaded(tmp_path, SHAPES.stages[0])


def test_a_checkpoint_name_cannot_leave_the_folder(tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    with pytest.raises(CheckpointError, match="leads out"):
        Checkpoints(tmp_path / "inside").path("../elsewhere")


def test_embeddings_handed_in_spare_the_text_encoder(shapes_checkpoints: Path) -> None:
    keyframes = loaded(shapes_checkpoints, SHAPES.stages[0])
    embeddings = keyframes.text.encode("a red circle", "")
    assert embeddings.prompt.shape == (1, 32, 64)
    interpolation = loaded(shapes_checkpoints, SHAPES.stages[1])
    spec = SHAPES.resolve(steps=FEW_STEPS)[1]
    clip = Clip(torch.zeros(1, 8, 3, 20, 32), 2)
    interpolation(StageInputs(spec, "a red circle", "", embeddings, (7,), clip), lambda *_: None)
    assert interpolation.text._encoder is None
