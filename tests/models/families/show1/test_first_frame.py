"""The image super-resolution model that upscales the first frame, tiny and random, in the published layout."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import DDPMScheduler, UNet2DConditionModel

from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.checkpoints.writing import write_network
from cascade.models.clip import Clip, PromptEmbeddings
from cascade.models.families.show1.pixel_unet import PixelVideoUNet
from cascade.models.families.show1.super_resolution import SuperResolution
from cascade.models.presets.show1 import FirstFrameSpec, SuperResolutionOptions
from cascade.models.presets.spec import StageSpec
from cascade.models.stage import StageInputs
from tests.models.families.show1.recorder import HERE, small_spec
from tests.models.families.show1.small_configs import SUPER_RESOLUTION, TEXT_WIDTH

IMAGE_MODEL = FirstFrameSpec(checkpoint="image", steps=2, guidance_scale=4.0, noise_level=150)
EMBEDDINGS = PromptEmbeddings(torch.randn(1, 77, TEXT_WIDTH), torch.randn(1, 77, TEXT_WIDTH))


@pytest.fixture
def checkpoints(tmp_path: Path) -> Checkpoints:
    """Checkpoints of a small super-resolution network and of an image model."""
    torch.manual_seed(0)
    write_network(tmp_path / "video", PixelVideoUNet(SUPER_RESOLUTION))
    write_image_model(tmp_path / "image")
    return Checkpoints(tmp_path)


def write_image_model(folder: Path) -> None:
    UNet2DConditionModel(
        sample_size=8,
        in_channels=6,
        out_channels=6,
        down_block_types=("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
        mid_block_type="UNetMidBlock2DSimpleCrossAttn",
        up_block_types=("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
        block_out_channels=(32, 64),
        layers_per_block=1,
        cross_attention_dim=32,
        encoder_hid_dim=TEXT_WIDTH,
        attention_head_dim=8,
        addition_embed_type="text",
        addition_embed_type_num_heads=2,
        cross_attention_norm="group_norm",
        resnet_time_scale_shift="scale_shift",
        act_fn="gelu",
        class_embed_type="timestep",
        mid_block_scale_factor=1.414,
        time_embedding_act_fn="gelu",
        resnet_skip_time_act=True,
        resnet_out_scale_factor=1.414,
    ).save_pretrained(folder / "unet")
    DDPMScheduler(
        beta_schedule="squaredcos_cap_v2",
        variance_type="learned_range",
        thresholding=True,
        sample_max_value=1.0,
    ).save_pretrained(folder / "scheduler")
    DDPMScheduler(beta_schedule="squaredcos_cap_v2").save_pretrained(folder / "image_noising_scheduler")
    (folder / "model_index.json").write_text(json.dumps({}))


def spec(first_frame: FirstFrameSpec | None) -> StageSpec[SuperResolutionOptions]:
    options = SuperResolutionOptions(first_frame=first_frame)
    schedule = replace(small_spec("super-resolution"), steps=1, height=16, width=32, checkpoint="video")
    return replace(schedule, options=options)  # type: ignore[return-value]


def test_the_first_window_sees_the_image_models_frame(checkpoints: Checkpoints) -> None:
    source = Clip(torch.rand(1, 29, 3, 4, 8) * 2 - 1, 8)
    frames = []
    for chosen in (spec(IMAGE_MODEL), spec(None)):
        stage = SuperResolution.load(chosen, checkpoints, HERE)
        inputs = StageInputs(chosen, "", "", EMBEDDINGS, (7,), source)
        frames.append(stage(inputs, lambda *_: None).frames)
        if stage.first_frame is not None:
            first = stage.first_frame(inputs)
            assert first.shape == (1, 3, 16, 32)
            assert torch.isfinite(first).all()
    with_image, without = frames
    assert not torch.equal(with_image, without)


def test_a_missing_image_model_leaves_zeros_and_says_so(
    checkpoints: Checkpoints, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    missing = replace(IMAGE_MODEL, checkpoint="nowhere/to-be-found")
    stage = SuperResolution.load(spec(missing), checkpoints, HERE)
    assert stage.first_frame is None
    assert "nowhere/to-be-found" in caplog.text
