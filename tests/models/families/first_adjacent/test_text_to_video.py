"""Stable Diffusion is the start: until it is trained, a clip's frames are the pictures that Stable Diffusion makes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import DDIMScheduler, PNDMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextModel
from typer.testing import CliRunner

from cascade.models.checkpoints.conversion import convert
from cascade.models.checkpoints.files import verify
from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.checkpoints.requirements import requirements
from cascade.models.checkpoints.writing import write_network
from cascade.models.errors import CheckpointError
from cascade.models.families.first_adjacent.unet import FirstAdjacentUNet
from cascade.models.families.show1.latent_unet import LatentVideoUNet
from cascade.models.layers.temporal import is_temporal
from cascade.models.presets.first_adjacent import FIRST_ADJACENT
from cascade.service.cli.checkpoints import app
from tests.models.families.latent_diffusion.small_checkpoints import (
    HERE,
    PROMPT,
    SCHEDULE,
    TEXT_WIDTH,
    image_autoencoder,
    run_stage_of,
    tokenizer,
    write_parts,
)
from tests.models.families.show1.small_configs import LATENT
from tests.models.families.show1.test_inflation import PIXEL

SPEC = replace(FIRST_ADJACENT.stages[0], frames=3, height=32, width=48, steps=3)


def stable_diffusion(**changes: Any) -> UNet2DConditionModel:
    """Make a small UNet with the form of Stable Diffusion 1: as many heads at every level, convolutions around attention."""
    torch.manual_seed(0)
    config = {
        "block_out_channels": (32, 64),
        "layers_per_block": 1,
        "cross_attention_dim": TEXT_WIDTH,
        "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
        "attention_head_dim": 8,
    }
    return UNet2DConditionModel(**(config | changes)).eval()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with Stable Diffusion as it is published, with its first sampler, and what is made of it."""
    folder = tmp_path_factory.mktemp("first-adjacent")
    published = {key: value for key, value in SCHEDULE.items() if key != "clip_sample"}
    source = folder / "stable-diffusion"
    write_parts(source, image_autoencoder(), PNDMScheduler(**published, skip_prk_steps=True))
    stable_diffusion().save_pretrained(source / "unet")
    (source / "safety_checker").mkdir()
    (source / "safety_checker" / "config.json").write_text("{}")
    convert(source, folder / "first-adjacent", preset="first-adjacent")
    return folder


def test_an_untrained_network_is_stable_diffusion_frame_by_frame(folder: Path) -> None:
    image = stable_diffusion()
    video = Checkpoints(folder).network("first-adjacent", FirstAdjacentUNet, HERE)
    frames, text = torch.randn(2, 4, 5, 8, 8), torch.randn(2, 7, TEXT_WIDTH)
    timesteps = torch.tensor([500, 20])
    with torch.inference_mode():
        together = video(frames, timesteps, text)
        for index in range(5):
            alone = image(frames[:, :, index], timesteps, text).sample
            torch.testing.assert_close(together[:, :, index], alone, rtol=1e-4, atol=1e-5)


def test_an_untrained_clip_has_the_pictures_of_stable_diffusion(folder: Path) -> None:
    parts = folder / "stable-diffusion"
    pipeline = StableDiffusionPipeline(
        vae=image_autoencoder(),
        text_encoder=CLIPTextModel.from_pretrained(parts / "text_encoder"),
        tokenizer=tokenizer(),
        unet=stable_diffusion(),
        scheduler=DDIMScheduler(**SCHEDULE),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    noise = torch.randn(4, 3, 4, 6, generator=torch.Generator().manual_seed(7))
    pictures = pipeline(
        [PROMPT] * 3,
        negative_prompt=[""] * 3,
        height=32,
        width=48,
        num_inference_steps=3,
        guidance_scale=7.5,
        latents=noise.transpose(0, 1),
        output_type="pt",
    ).images
    clip, steps = run_stage_of(SPEC, folder)
    assert steps == [(1, 3), (2, 3), (3, 3)]
    assert clip.fps == 24
    torch.testing.assert_close((clip.frames[0].clamp(-1, 1) + 1) / 2, pictures, rtol=0, atol=1e-4)


def test_what_is_converted_is_whole_and_sampled_by_ddim(folder: Path) -> None:
    (requirement,) = requirements(FIRST_ADJACENT)
    assert requirement.parts == ("unet", "scheduler", "vae", "text_encoder", "tokenizer")
    assert verify(folder / "first-adjacent", requirement) == []
    assert not (folder / "first-adjacent" / "safety_checker").exists()
    scheduler = Checkpoints(folder).scheduler("first-adjacent")
    assert isinstance(scheduler, DDIMScheduler)
    assert {key: scheduler.config[key] for key in SCHEDULE} == SCHEDULE
    assert (scheduler.config["num_train_timesteps"], scheduler.config["prediction_type"]) == (1000, "epsilon")


def test_only_the_temporal_modules_are_new(folder: Path, tmp_path: Path) -> None:
    conversion = convert(folder / "stable-diffusion", tmp_path / "video", preset="first-adjacent")
    assert set(conversion.matched) == set(stable_diffusion().state_dict())
    assert conversion.new
    assert all(is_temporal(name) for name in conversion.new)


def test_without_a_preset_the_same_source_is_converted_as_before(folder: Path, tmp_path: Path) -> None:
    convert(folder / "stable-diffusion", tmp_path / "video")
    assert isinstance(Checkpoints(tmp_path).network("video", LatentVideoUNet, HERE), LatentVideoUNet)


def test_other_models_than_latent_image_models_are_refused(tmp_path: Path) -> None:
    write_network(tmp_path / "video", LatentVideoUNet(LATENT))
    stable_diffusion(**PIXEL).save_pretrained(tmp_path / "pixel" / "unet")
    for source, complaint in (
        ("video", "begins with an image model; the source's UNet is a UNet3DConditionModel"),
        ("pixel", "begins with an image model in latent space"),
    ):
        with pytest.raises(CheckpointError, match=complaint):
            convert(tmp_path / source, tmp_path / "target", preset="first-adjacent")
        assert not (tmp_path / "target").exists()


def test_additional_input_channels_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="takes no additional input channels"):
        convert(folder / "stable-diffusion", tmp_path / "video", 7, preset="first-adjacent")


def test_a_preset_whose_checkpoints_are_not_converted_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match='checkpoints of preset "wan" are not made by conversion'):
        convert(folder / "stable-diffusion", tmp_path / "video", preset="wan")


def test_the_command_line_converts_for_a_preset(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "video"
    source = str(folder / "stable-diffusion")
    done = CliRunner().invoke(app, ["convert", source, str(target), "--preset", "first-adjacent"])
    assert done.exit_code == 0, done.output
    assert "left behind: safety_checker/config.json" in done.output
    assert json.loads((target / "unet" / "config.json").read_text())["_class_name"] == "FirstAdjacentUNet"
