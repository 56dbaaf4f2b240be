"""How networks run does not change what they make: precision, offload, VAE and attention settings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.clip import Clip
from cascade.models.families.registry import load_stage
from cascade.models.families.show1.super_resolution import SuperResolution
from cascade.models.presets.table import SHAPES, SHOW_1, SuperResolutionOptions
from cascade.models.runtime.device import attention_kernel, measure_usage
from cascade.models.runtime.execution import Execution
from cascade.models.stage import StageInputs

CPU = Execution(device="cpu")
LAST = SHAPES.resolve(size="128x80", steps={"expert-translation": 2})[-1]


@pytest.fixture(scope="module")
def source() -> Clip:
    generator = torch.Generator().manual_seed(0)
    return Clip(torch.rand(1, 29, 3, 40, 64, generator=generator) * 2 - 1, 8)


def translate(folder: Path, source: Clip, execution: Execution) -> torch.Tensor:
    stage = load_stage(LAST, Checkpoints(folder), execution)
    embeddings = stage.text.encode("a red circle", "")
    with attention_kernel(execution), measure_usage(execution) as usage:
        clip = stage(StageInputs(LAST, "a red circle", "", embeddings, (7,), source), lambda *_: None)
    assert usage.gpu_s > 0
    assert usage.peak_memory_bytes > 1e7
    return clip.frames


@pytest.fixture(scope="module")
def plain(shapes_checkpoints: Path, source: Clip) -> torch.Tensor:
    return translate(shapes_checkpoints, source, CPU)


@pytest.mark.parametrize(
    "changes",
    [
        {"offload": "model"},
        {"vae_slicing": False},
        {"vae_tiling": True},  # frames are smaller than a tile: nothing is cut
        {"attention": "math"},
        {"text_device": "cpu"},
    ],
)
def test_memory_settings_make_the_same_frames(
    changes: dict, plain: torch.Tensor, shapes_checkpoints: Path, source: Clip
) -> None:
    frames = translate(shapes_checkpoints, source, replace(CPU, **changes))
    torch.testing.assert_close(frames, plain, rtol=1e-3, atol=1e-3)


def test_half_precision_makes_nearly_the_same_frames(
    plain: torch.Tensor, shapes_checkpoints: Path, source: Clip
) -> None:
    frames = translate(shapes_checkpoints, source, replace(CPU, dtype="bfloat16"))
    assert frames.dtype == torch.float32
    assert (frames - plain).abs().mean() < 0.05  # bfloat16 keeps 8 bits of a number


def test_a_text_encoder_in_8_bits_says_nearly_the_same(shapes_checkpoints: Path) -> None:
    checkpoints = Checkpoints(shapes_checkpoints)
    exact = checkpoints.t5("shapes/keyframes", CPU).encode("a red circle", "").prompt
    rounded = (
        checkpoints.t5("shapes/keyframes", replace(CPU, text_8bit=True)).encode("a red circle", "").prompt
    )
    error = (rounded - exact).abs().max() / exact.abs().max()
    assert 0 < error < 0.05, f"relative error {error:.3f}"


@pytest.mark.slow
def test_a_compiled_network_makes_the_same_frames(shapes_checkpoints: Path) -> None:
    checkpoints = Checkpoints(shapes_checkpoints)
    plain = checkpoints.latent_unet("shapes/expert-translation", CPU)
    compiled = checkpoints.latent_unet("shapes/expert-translation", replace(CPU, compile=True))
    inputs = (torch.randn(1, 8, 2, 8, 8), 500, torch.randn(1, 77, 64))
    with torch.inference_mode():
        torch.testing.assert_close(compiled(*inputs), plain(*inputs), rtol=1e-3, atol=1e-3)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] > 0


def test_the_published_preset_has_the_published_constants() -> None:
    # FACTS of the published inference: steps, guidance, shapes, schedule and windows, stage by stage.
    keyframes, interpolation, super_resolution, translation = SHOW_1.stages
    assert [(s.frames, s.width, s.height) for s in SHOW_1.stages] == [
        (8, 64, 40),
        (29, 64, 40),
        (29, 256, 160),
        (29, 576, 320),
    ]
    assert [s.steps for s in SHOW_1.stages] == [75, 75, 125, 50]
    assert [s.guidance_scale for s in SHOW_1.stages] == [9.0, 4.0, 7.0, 15.0]
    assert [s.schedule and s.schedule.sample_max_value for s in SHOW_1.stages] == [1.5, 1.5, 1.0, None]
    assert keyframes.schedule.dynamic_thresholding_ratio == 0.95
    assert super_resolution.options.noise_level == 250
    assert super_resolution.options.first_frame.noise_level == 150
    assert super_resolution.options.first_frame.steps == 70
    assert translation.negative_prompt == "low resolution, blur"
    assert translation.options.strength == 0.8
    assert interpolation.text_encoder == keyframes.checkpoint


def test_a_missing_first_frame_model_leaves_zeros_and_says_so(
    shapes_checkpoints: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    first = replace(SHOW_1.stages[2].options.first_frame, checkpoint="nowhere/to-be-found")
    options = replace(SHAPES.stages[2].options, first_frame=first)
    assert isinstance(options, SuperResolutionOptions)
    stage = load_stage(replace(SHAPES.stages[2], options=options), Checkpoints(shapes_checkpoints), CPU)
    assert isinstance(stage, SuperResolution)
    assert stage.first_frame is None
    assert "nowhere/to-be-found" in caplog.text
