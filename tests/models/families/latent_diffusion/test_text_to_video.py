"""The one stage of plain latent diffusion is the published pipeline, and may have an autoencoder that compresses time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import DDIMScheduler, TextToVideoSDPipeline, UNet3DConditionModel
from transformers import CLIPTextModel

from cascade.models.checkpoints.files import verify
from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.checkpoints.requirements import requirements
from cascade.models.checkpoints.writing import write_network
from cascade.models.errors import CheckpointError, PresetError
from cascade.models.families.registry import load_stage
from cascade.models.families.show1.latent_unet import LatentUNetConfig, LatentVideoUNet
from cascade.models.layers.temporal import is_temporal
from cascade.models.presets.latent_diffusion import LATENT_DIFFUSION, LatentTextToVideoOptions
from cascade.models.presets.spec import AnyStageSpec
from tests.models.families.latent_diffusion.small_checkpoints import (
    HERE,
    PROMPT,
    SCHEDULE,
    TEXT_WIDTH,
    image_autoencoder,
    run_stage_of,
    tokenizer,
    video_autoencoder,
    write_parts,
)

UNET = LatentUNetConfig(
    down_block_types=("CrossAttnDownBlock3D", "DownBlock3D"),
    up_block_types=("UpBlock3D", "CrossAttnUpBlock3D"),
    block_out_channels=(32, 64),
    layers_per_block=1,
    attention_head_dim=16,
    cross_attention_dim=TEXT_WIDTH,
)
SPEC = replace(
    LATENT_DIFFUSION.stages[0],
    checkpoint="small",
    text_encoder="small",
    frames=3,
    height=32,
    width=48,
    steps=2,
)
LONG = replace(SPEC, frames=8, options=LatentTextToVideoOptions(frames_per_latent=4))


def random_unet() -> LatentVideoUNet:
    """Make a network whose temporal layers, which begin without effect, have learned something."""
    torch.manual_seed(0)
    unet = LatentVideoUNet(UNET).eval()
    for name, parameter in unet.named_parameters():
        if is_temporal(name) and not parameter.any():
            torch.nn.init.normal_(parameter, std=0.1)
    return unet


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the checkpoint `small`, and `long`, whose autoencoder compresses time."""
    folder = tmp_path_factory.mktemp("latent-diffusion")
    for name, vae in (("small", image_autoencoder()), ("long", video_autoencoder())):
        write_parts(folder / name, vae)
        write_network(folder / name, random_unet())
    return folder


def test_a_clip_is_that_of_the_published_pipeline(checkpoints: Path) -> None:
    pipeline = TextToVideoSDPipeline(
        vae=image_autoencoder(),
        text_encoder=CLIPTextModel.from_pretrained(checkpoints / "small" / "text_encoder"),
        tokenizer=tokenizer(),
        unet=UNet3DConditionModel.from_pretrained(checkpoints / "small" / "unet"),
        scheduler=DDIMScheduler(**SCHEDULE),
    )
    pipeline.set_progress_bar_config(disable=True)
    noise = torch.randn(4, 3, 4, 6, generator=torch.Generator().manual_seed(7))
    expected = pipeline(
        PROMPT,
        negative_prompt="",
        height=32,
        width=48,
        num_frames=3,
        num_inference_steps=2,
        guidance_scale=9.0,
        latents=noise[None],
        output_type="pt",
    ).frames
    clip, steps = run_stage_of(SPEC, checkpoints)
    assert steps == [(1, 2), (2, 2)]
    assert (clip.frames.shape, clip.fps) == ((1, 3, 3, 32, 48), 8)
    torch.testing.assert_close((clip.frames.clamp(-1, 1) + 1) / 2, expected, rtol=0, atol=1e-4)


def test_each_video_has_its_own_seeds_noise(checkpoints: Path) -> None:
    both, _ = run_stage_of(SPEC, checkpoints, (3, 7))
    alone, _ = run_stage_of(SPEC, checkpoints, (7,))
    torch.testing.assert_close(both.frames[1:], alone.frames, rtol=0, atol=1e-4)
    assert not torch.allclose(both.frames[0], both.frames[1], atol=0.01)


def test_the_network_has_the_published_number_of_parameters() -> None:
    with torch.device("meta"):
        sizes = {
            name: tensor.numel() for name, tensor in LatentVideoUNet(LatentUNetConfig()).named_parameters()
        }
    assert sum(sizes.values()) == 1_411_233_860
    assert sum(size for name, size in sizes.items() if is_temporal(name)) == 545_323_136


def test_an_autoencoder_that_compresses_time_shortens_the_networks_clip(
    checkpoints: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[torch.Size] = []
    forward = LatentVideoUNet.forward

    def watched(unet: LatentVideoUNet, sample: torch.Tensor, *rest: torch.Tensor) -> torch.Tensor:
        seen.append(sample.shape)
        return forward(unet, sample, *rest)

    monkeypatch.setattr(LatentVideoUNet, "forward", watched)
    clip, _ = run_stage_of(replace(LONG, checkpoint="long"), checkpoints)
    assert seen == [(2, 4, 2, 4, 6)] * 2  # prompt and negative prompt, two latents for eight frames
    assert clip.frames.shape == (1, 8, 3, 32, 48)


def test_an_autoencoder_that_compresses_time_undoes_its_scaling(checkpoints: Path) -> None:
    vae = video_autoencoder()
    stage = load_stage(replace(LONG, checkpoint="long"), Checkpoints(checkpoints), HERE)
    latents = torch.randn(2, 2, 4, 4, 6)
    with torch.inference_mode():
        decoded = stage._decode(latents)  # type: ignore[attr-defined]
        expected = vae.decode(latents[1:].transpose(1, 2) / 0.7).sample.transpose(1, 2)
    torch.testing.assert_close(decoded[1:], expected)


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        (replace(LONG, checkpoint="small"), "does not fit its configuration|cannot be loaded"),
        (
            replace(SPEC, options=LatentTextToVideoOptions(pixels_per_latent=4)),
            "makes a latent of 8 pixels and 1 frames; stage text-to-video is made for 4 pixels and 1 frames",
        ),
    ],
    ids=["of images", "another size"],
)
def test_an_autoencoder_of_another_kind_is_refused(
    spec: AnyStageSpec, complaint: str, checkpoints: Path
) -> None:
    with pytest.raises(CheckpointError, match=complaint):
        load_stage(spec, Checkpoints(checkpoints), HERE)


def test_an_autoencoder_with_other_channels_is_refused(checkpoints: Path, tmp_path: Path) -> None:
    write_parts(tmp_path / "small", image_autoencoder())
    write_network(tmp_path / "small", LatentVideoUNet(replace(UNET, in_channels=5)))
    with pytest.raises(CheckpointError, match="UNet takes 5 channels; the latents of its autoencoder have 4"):
        load_stage(SPEC, Checkpoints(tmp_path), HERE)


def test_a_checkpoint_is_verified_whole(checkpoints: Path) -> None:
    (requirement,) = requirements(replace(LATENT_DIFFUSION, stages=(SPEC,)))
    assert requirement.parts == ("unet", "scheduler", "vae", "text_encoder", "tokenizer")
    assert verify(checkpoints / "small", requirement) == []


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"width": 260}, "260x256 is not a multiple of 8"),
        (
            {"frames": 12, "options": LatentTextToVideoOptions(frames_per_latent=4)},
            "12 frames are not a multiple of 8",
        ),
    ],
)
def test_what_an_autoencoder_cannot_encode_is_refused(changes: dict[str, object], complaint: str) -> None:
    with pytest.raises(PresetError, match=complaint):
        replace(LATENT_DIFFUSION, stages=(replace(LATENT_DIFFUSION.stages[0], **changes),))  # type: ignore[arg-type]


def test_nothing_comes_before_the_one_stage() -> None:
    stage = LATENT_DIFFUSION.stages[0]
    with pytest.raises(PresetError, match="starts from noise and takes nothing of stage first"):
        replace(LATENT_DIFFUSION, stages=(replace(stage, name="first"), stage))
