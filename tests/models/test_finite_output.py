"""A stage whose output is not finite fails, and names itself; a damaged checkpoint is one line of `cascade generate`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from cascade.models.clip import Clip, Latents, Output, PromptEmbeddings
from cascade.models.errors import OutputNotFinite
from cascade.models.presets.shapes import SHAPES
from cascade.models.stage import StageInputs, run_stage
from tests.workers.fake_stage import FakeStage

SPEC = SHAPES.stages[0]
GOOD = PromptEmbeddings(torch.zeros(1, 1, 1), torch.zeros(1, 1, 1))
BAD = PromptEmbeddings(torch.zeros(1, 1, 1), torch.full((1, 1, 1), torch.nan))


def clip(value: float) -> Output:
    frames = torch.zeros(1, 2, 3, 4, 4)
    frames[0, 1, 2, 3, 3] = value
    return Clip(frames, 8)


def latents(value: float) -> Output:
    return Latents(torch.full((1, 2, 4, 4, 4), value), 8, "some/autoencoder")


@pytest.mark.parametrize("make", [clip, latents])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_stage_whose_output_is_not_finite_names_itself(make: object, value: float) -> None:
    stage = FakeStage(lambda _: make(value))  # type: ignore[operator]
    with pytest.raises(OutputNotFinite, match=f"stage {SPEC.name} failed: .*{SPEC.checkpoint}.*not finite"):
        run_stage(stage, StageInputs(SPEC, "", "", GOOD, (7,)), lambda *_: None)


def test_a_finite_output_passes() -> None:
    stage = FakeStage(lambda _: clip(3.0))
    assert isinstance(run_stage(stage, StageInputs(SPEC, "", "", GOOD, (7,)), lambda *_: None), Clip)


def test_embeddings_that_are_not_finite_name_the_text_encoder() -> None:
    stage = FakeStage(lambda _: clip(0.0))
    with pytest.raises(
        OutputNotFinite, match=f'stage {SPEC.name} failed: the text encoder of "{SPEC.text_encoder}"'
    ):
        run_stage(stage, StageInputs(SPEC, "", "", BAD, (7,)), lambda *_: None)
    assert stage.inputs == []


def generate(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cascade", "generate", "a red circle", "--preset", "shapes", "-o", "v.mp4"]
        + [option for stage in SHAPES.stages for option in ("--steps", f"{stage.name}=1")],
        cwd=folder,
        env=os.environ | {"CASCADE_CHECKPOINTS_DIR": str(folder), "CASCADE_DEVICE": "cpu", "COLUMNS": "80"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_says_in_one_line_what_is_wrong_with_a_checkpoint(
    tmp_path: Path, shapes_checkpoints: Path
) -> None:
    shutil.copytree(shapes_checkpoints / "shapes", tmp_path / "shapes")
    name = "diffusion_pytorch_model.safetensors"
    file = tmp_path / SPEC.checkpoint / "unet" / name
    tensors = load_file(file)
    largest = max(tensors, key=lambda name: tensors[name].numel())
    # Finite in the file, and too large for what the network does with it.
    save_file(tensors | {largest: torch.full_like(tensors[largest], 3e38)}, file)
    too_large = generate(tmp_path)
    file.write_bytes(file.read_bytes()[:-9])
    cut = generate(tmp_path)
    for done, fault in ((too_large, f"stage {SPEC.name} failed"), (cut, f"{name} is damaged or cut short")):
        assert done.returncode != 0
        assert "Traceback" not in done.stderr
        assert fault in " ".join((done.stdout + done.stderr).split())
        assert not (tmp_path / "v.mp4").exists()
