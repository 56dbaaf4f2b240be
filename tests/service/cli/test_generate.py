"""`cascade generate`, and the options that commands share."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import av
import pytest
import typer
from PIL import Image

from cascade.models.presets.table import get_preset
from cascade.service.cli.options import parse_stage_options
from tests.service.conftest import Invoke

Cascade = Callable[..., subprocess.CompletedProcess[str]]


def text_of(output: str) -> str:
    """What a framed message says."""
    return " ".join(output.replace("│", " ").split())


def test_stage_options_are_numbers_by_stage() -> None:
    assert parse_stage_options(["a=3", "b=4"], int) == {"a": 3, "b": 4}
    assert parse_stage_options(["a=1.5"], float) == {"a": 1.5}
    assert parse_stage_options(None, int) == {}
    for wrong in ("a", "a=", "a=x", "a=1.5"):
        with pytest.raises(typer.BadParameter, match="STAGE=NUMBER"):
            parse_stage_options([wrong], int)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--steps", "keyframes=0"), "1 to 100"),
        (("--steps", "keyframes"), "STAGE=NUMBER"),
        (("--steps", "upscaling=3"), "its stages are keyframes, interpolation"),
        (("--size", "300x200"), "256x160, 128x80"),
        (("--preset", "dreams"), "shapes, show-1"),
        (("-o", "video.avi"), "does not end in .mp4"),
    ],
)
def test_generate_refuses_what_the_preset_does_not_offer(
    args: tuple[str, ...], message: str, cascade: Cascade
) -> None:
    done = cascade("generate", "a red circle", *args)
    assert done.returncode == 2
    assert message in text_of(done.stderr)


def test_without_a_preset_the_first_of_the_deployment_is_taken(cascade: Cascade) -> None:
    done = cascade("generate", "a red circle", "--size", "1x1", CASCADE_PRESETS="wan,shapes")
    assert 'not offered by preset "wan"' in text_of(done.stderr)


def test_a_missing_checkpoint_is_named(cascade: Cascade, tmp_path: Path) -> None:
    done = cascade(
        *("generate", "a panda", "--preset", "show-1"),
        CASCADE_CHECKPOINTS_DIR=str(tmp_path),
        HF_HUB_OFFLINE="1",
        HF_HOME=str(tmp_path),
    )
    assert done.returncode == 1
    assert "showlab/show-1-base" in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_command_line_starts_without_torch() -> None:
    script = (
        "import sys, cascade.service.cli.main, cascade.service.client;"
        "print(sorted({'torch', 'diffusers', 'transformers', 'av', 'numpy', 'PIL'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_what_a_prompt_will_not_show_is_said_before_torch_is_imported(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cascade.models.generate", None)  # the command gets no further
    surfing = invoke("generate", "a dog surfing on a wave", "--preset", "shapes").stderr
    assert surfing.startswith("prompt: ") and "dog" in surfing
    assert "prompt: " not in invoke("generate", "a red circle moving right", "--preset", "shapes").stderr


@pytest.mark.slow
def test_generate_writes_the_video_and_every_stages_clip_and_sheet(
    tmp_path: Path, shapes_checkpoints: Path, cascade: Cascade
) -> None:
    few = ("keyframes=2", "interpolation=1", "super-resolution=1", "expert-translation=2")
    steps = [argument for value in few for argument in ("--steps", value)]
    output = tmp_path / "out.mp4"
    done = cascade(
        *("generate", "a red circle", "--seed", "7", "-o", str(output), "--keep-stages"),
        *("--size", "128x80", *steps),
        CASCADE_CHECKPOINTS_DIR=str(shapes_checkpoints),
    )
    assert done.returncode == 0, done.stderr
    with av.open(output) as container:
        frames = list(container.decode(video=0))
        assert (len(frames), frames[0].width, frames[0].height) == (29, 128, 80)
        assert container.streams.video[0].average_rate == 8
    for stage in get_preset("shapes").stage_names:
        assert (tmp_path / f"out-{stage}.mp4").stat().st_size > 1000
        with Image.open(tmp_path / f"out-{stage}.png") as sheet:
            assert sheet.width > 1000
