"""Image checkpoints become video checkpoints that begin as the image model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel

from cascade.models.checkpoints.conversion import convert
from cascade.models.checkpoints.files import Requirement, verify
from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.checkpoints.network import CheckpointNetwork
from cascade.models.checkpoints.writing import write_network
from cascade.models.errors import CheckpointError
from cascade.models.families.show1.latent_unet import LatentVideoUNet
from cascade.models.families.show1.pixel_unet import PixelVideoUNet
from cascade.models.layers.temporal import is_temporal
from tests.models.families.show1.recorder import HERE
from tests.models.families.show1.small_configs import KEYFRAMES

PIXEL: dict[str, Any] = {
    "down_block_types": ("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
    "mid_block_type": "UNetMidBlock2DSimpleCrossAttn",
    "up_block_types": ("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
    "in_channels": 3,
    "out_channels": 6,
    "encoder_hid_dim": 24,
    "addition_embed_type": "text",
    "addition_embed_type_num_heads": 2,
    "cross_attention_norm": "group_norm",
    "resnet_time_scale_shift": "scale_shift",
    "resnet_skip_time_act": True,
    "time_embedding_act_fn": "gelu",
    "act_fn": "gelu",
    "resnet_out_scale_factor": 1.414,
    "mid_block_scale_factor": 1.414,
    "attention_head_dim": 8,
}
LATENT: dict[str, Any] = {
    "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
    "in_channels": 4,
    "out_channels": 4,
    "use_linear_projection": True,
    "attention_head_dim": [4, 8],  # numbers of heads, as Stable Diffusion 2 writes them
}

STABLE_DIFFUSION_1: dict[str, Any] = LATENT | {
    "use_linear_projection": False,  # convolutions of one pixel
    "attention_head_dim": 8,  # as many heads at every level, and so of different widths
    "down_block_types": ("CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
}


def image_unet(folder: Path, config: dict[str, Any]) -> UNet2DConditionModel:
    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        sample_size=8, block_out_channels=(32, 64), layers_per_block=1, cross_attention_dim=32, **config
    ).eval()
    unet.save_pretrained(folder / "image" / "unet")
    return unet


@pytest.mark.parametrize(
    ("config", "network", "text_width"),
    [(PIXEL, PixelVideoUNet, 24), (LATENT, LatentVideoUNet, 32), (STABLE_DIFFUSION_1, LatentVideoUNet, 32)],
    ids=["if", "stable-diffusion-2", "stable-diffusion-1"],
)
def test_an_inflated_model_gives_each_frame_what_the_image_model_gives(
    config: dict[str, Any], network: type[CheckpointNetwork], text_width: int, tmp_path: Path
) -> None:
    image = image_unet(tmp_path, config)
    conversion = convert(tmp_path / "image", tmp_path / "video")
    assert conversion.left == ()
    assert set(conversion.matched) == set(image.state_dict())
    assert conversion.new
    assert all(is_temporal(name) for name in conversion.new)
    assert verify(tmp_path / "video", Requirement("video", ("unet",), {"unet": network})) == []
    video = Checkpoints(tmp_path).network("video", network, HERE)
    frames, text = torch.randn(1, config["in_channels"], 3, 8, 8), torch.randn(1, 5, text_width)
    with torch.inference_mode():
        together = video(frames, 500, text)
        for index in range(3):
            alone = image(frames[:, :, index], 500, text).sample
            torch.testing.assert_close(together[:, :, index], alone, rtol=1e-4, atol=1e-4)


def test_additional_input_channels_begin_without_effect(tmp_path: Path) -> None:
    image_unet(tmp_path, PIXEL)
    convert(tmp_path / "image", tmp_path / "video", in_channels=7)
    video = Checkpoints(tmp_path).network("video", PixelVideoUNet, HERE)
    frames, text = torch.randn(1, 7, 2, 8, 8), torch.randn(1, 5, 24)
    changed = torch.cat([frames[:, :3], torch.randn(1, 4, 2, 8, 8)], dim=1)
    with torch.inference_mode():
        torch.testing.assert_close(video(frames, 500, text), video(changed, 500, text))


def test_a_video_checkpoint_converts_whole_with_its_other_parts(tmp_path: Path) -> None:
    write_network(tmp_path / "keyframes", PixelVideoUNet(KEYFRAMES))
    (tmp_path / "keyframes" / "tokenizer").mkdir()
    (tmp_path / "keyframes" / "tokenizer" / "tokenizer.json").write_text("{}")
    conversion = convert(tmp_path / "keyframes", tmp_path / "interpolation", in_channels=7)
    assert (conversion.new, conversion.left) == ((), ())
    assert (tmp_path / "interpolation" / "tokenizer" / "tokenizer.json").is_file()


def test_a_configuration_without_a_video_counterpart_is_refused(tmp_path: Path) -> None:
    (tmp_path / "image" / "unet").mkdir(parents=True)
    config = {
        "down_block_types": ["AttnDownBlock2D"],
        "up_block_types": ["AttnUpBlock2D"],
        "block_out_channels": [32],
    }
    (tmp_path / "image" / "unet" / "config.json").write_text(json.dumps(config | {"attention_head_dim": 8}))
    with pytest.raises(CheckpointError, match="has no block AttnDownBlock3D"):
        convert(tmp_path / "image", tmp_path / "video")
    assert not (tmp_path / "video").exists()


@pytest.mark.parametrize("heads", [[5, 8], [4, 8, 8], 7])
def test_heads_that_do_not_divide_the_channels_are_refused(heads: object, tmp_path: Path) -> None:
    image_unet(tmp_path, LATENT)
    file = tmp_path / "image" / "unet" / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"attention_head_dim": heads}))
    with pytest.raises(CheckpointError, match=r"do not divide the channels of the levels, \[32, 64\]"):
        convert(tmp_path / "image", tmp_path / "video")


@pytest.mark.parametrize("in_channels", [2, 0, -1])
def test_fewer_input_channels_than_the_source_has_are_refused(in_channels: int, tmp_path: Path) -> None:
    image_unet(tmp_path, PIXEL)
    with pytest.raises(
        CheckpointError, match=f"cannot have {in_channels} input channels: the source's has 3"
    ):
        convert(tmp_path / "image", tmp_path / "video", in_channels=in_channels)
    assert [file.name for file in tmp_path.iterdir()] == ["image"]


def test_all_parts_are_copied_and_what_is_left_is_named(tmp_path: Path) -> None:
    image_unet(tmp_path, LATENT)
    for name in (
        "vae/diffusion_pytorch_model.bin",
        "text_encoder/pytorch_model.bin",
        "tokenizer/unet",
        "model_index.json",
        "v1-5-pruned.ckpt",
    ):
        file = tmp_path / "image" / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"{}")
    conversion = convert(tmp_path / "image", tmp_path / "new" / "video")
    assert conversion.left == ("v1-5-pruned.ckpt",)  # its UNet is the old one
    written = {str(file.relative_to(tmp_path / "new" / "video")) for file in (tmp_path / "new").rglob("*.*")}
    assert {
        "vae/diffusion_pytorch_model.bin",
        "text_encoder/pytorch_model.bin",
        "model_index.json",
    } <= written
    assert (tmp_path / "new" / "video" / "tokenizer" / "unet").is_file()
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["video"]
