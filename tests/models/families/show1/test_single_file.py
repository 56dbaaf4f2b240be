"""Stable Diffusion in one file becomes a video checkpoint: names and configuration are those of the published layout."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import save_file
from torch import Tensor

from cascade.models.checkpoints.conversion import convert
from cascade.models.checkpoints.files import Requirement, verify
from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.errors import CheckpointError
from cascade.models.families.show1.latent_unet import LatentVideoUNet
from tests.models.families.show1.recorder import HERE

WIDTHS = (64, 128)

# The published file's names of one layer per level: by pairs (diffusers, file).
UNET = (
    ("time_embedding.linear_1", "time_embed.0"),
    ("time_embedding.linear_2", "time_embed.2"),
    ("conv_in", "input_blocks.0.0"),
    ("down_blocks.0.resnets.0", "input_blocks.1.0"),
    ("down_blocks.0.attentions.0", "input_blocks.1.1"),
    ("down_blocks.0.downsamplers.0.conv", "input_blocks.2.0.op"),
    ("down_blocks.1.resnets.0", "input_blocks.3.0"),
    ("down_blocks.1.attentions.0", "input_blocks.3.1"),
    ("mid_block.resnets.0", "middle_block.0"),
    ("mid_block.attentions.0", "middle_block.1"),
    ("mid_block.resnets.1", "middle_block.2"),
    ("up_blocks.0.resnets.0", "output_blocks.0.0"),
    ("up_blocks.0.attentions.0", "output_blocks.0.1"),
    ("up_blocks.0.resnets.1", "output_blocks.1.0"),
    ("up_blocks.0.attentions.1", "output_blocks.1.1"),
    ("up_blocks.0.upsamplers.0.conv", "output_blocks.1.2.conv"),
    ("up_blocks.1.resnets.0", "output_blocks.2.0"),
    ("up_blocks.1.attentions.0", "output_blocks.2.1"),
    ("up_blocks.1.resnets.1", "output_blocks.3.0"),
    ("up_blocks.1.attentions.1", "output_blocks.3.1"),
    ("conv_norm_out", "out.0"),
    ("conv_out", "out.2"),
)
UNET_RESNET = (
    ("norm1", "in_layers.0"),
    ("conv1", "in_layers.2"),
    ("time_emb_proj", "emb_layers.1"),
    ("norm2", "out_layers.0"),
    ("conv2", "out_layers.3"),
    ("conv_shortcut", "skip_connection"),
)


def in_file(name: str) -> str:
    """The name of a UNet's tensor in the published single file."""
    for own, published in UNET:
        if name.startswith(f"{own}."):
            rest = name.removeprefix(f"{own}.")
            if ".resnets." in f".{own}.":
                part = rest.rsplit(".", 1)[0]
                rest = rest.replace(part, dict(UNET_RESNET)[part])
            return f"model.diffusion_model.{published}.{rest}"
    raise KeyError(name)


def write_file(file: Path, version: int) -> tuple[UNet2DConditionModel, dict[str, Tensor]]:
    """Write a small Stable Diffusion of version 1 or 2 in one file."""
    torch.manual_seed(0)
    config: dict[str, Any] = {"attention_head_dim": 8} if version == 1 else {"attention_head_dim": [1, 2]}
    unet = UNet2DConditionModel(
        sample_size=8,
        block_out_channels=WIDTHS,
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D",) * 2,
        up_block_types=("CrossAttnUpBlock2D",) * 2,
        cross_attention_dim=32,
        use_linear_projection=version == 2,
        **config,
    ).eval()
    tensors = {in_file(name): tensor.contiguous() for name, tensor in unet.state_dict().items()}
    tensors["cond_stage_model.transformer.text_model.final_layer_norm.weight"] = torch.ones(4)
    if file.suffix == ".ckpt":
        torch.save({"state_dict": tensors, "global_step": 7}, file)
    else:
        save_file(tensors, file)
    return unet, tensors


@pytest.mark.parametrize(("name", "version"), [("v1.safetensors", 1), ("v1.ckpt", 1), ("v2.safetensors", 2)])
def test_a_single_file_becomes_a_video_model_that_begins_as_the_image_model(
    name: str, version: int, tmp_path: Path
) -> None:
    image, _ = write_file(tmp_path / name, version)
    conversion = convert(tmp_path / name, tmp_path / "video")
    assert set(conversion.matched) == set(image.state_dict())
    assert conversion.left == ("cond_stage_model.transformer.text_model.final_layer_norm.weight",)
    assert verify(tmp_path / "video", Requirement("video", ("unet",), {"unet": LatentVideoUNet})) == []
    video = Checkpoints(tmp_path).network("video", LatentVideoUNet, HERE)
    latents, text = torch.randn(1, 4, 2, 8, 8), torch.randn(1, 5, 32)
    with torch.inference_mode():
        together = video(latents, 500, text)
        for index in range(2):
            alone = image(latents[:, :, index], 500, text).sample
            torch.testing.assert_close(together[:, :, index], alone, rtol=1e-4, atol=1e-4)


def test_a_file_that_is_cut_or_of_another_model_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    _, tensors = write_file(tmp_path / "v1.safetensors", 1)
    lacking = {name: tensor for name, tensor in tensors.items() if "middle_block.1.norm" not in name}
    for file, content, fault in (
        ("cut.safetensors", None, "damaged or cut short"),
        (
            "other.safetensors",
            {"double_blocks.0.weight": torch.zeros(2)},
            "is not a Stable Diffusion 1 or 2 model",
        ),
        (
            "lacking.safetensors",
            lacking,
            r"does not fit its configuration: missing mid_block\.attentions\.0\.norm",
        ),
        ("nan.safetensors", tensors | {max(tensors): torch.full((2,), torch.nan)}, "not finite"),
    ):
        if content is None:
            (tmp_path / file).write_bytes((tmp_path / "v1.safetensors").read_bytes()[:-5])
        else:
            save_file(content, tmp_path / file)
        with pytest.raises(CheckpointError, match=fault) as refused:
            convert(tmp_path / file, tmp_path / "new" / "video")
        assert file in str(refused.value)
        assert "\n" not in str(refused.value)
    assert not (tmp_path / "new").exists()


def test_a_missing_source_and_a_target_inside_it_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is missing"):
        convert(tmp_path / "nowhere.safetensors", tmp_path / "video")
    (tmp_path / "image" / "unet").mkdir(parents=True)
    (tmp_path / "image" / "unet" / "config.json").write_text(json.dumps({}))
    with pytest.raises(CheckpointError, match="is inside the source"):
        convert(tmp_path / "image", tmp_path / "image" / "video")


def test_the_autoencoder_in_the_file_is_converted_too(tmp_path: Path) -> None:
    _, tensors = write_file(tmp_path / "v1.safetensors", 1)
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        block_out_channels=(32, 64),
        layers_per_block=1,
    ).eval()
    for name, tensor in vae.state_dict().items():
        kernel = tensor[:, :, None, None] if ".to_" in name and name.endswith("weight") else tensor
        tensors[vae_name_in_file(name)] = kernel.contiguous()
    save_file(tensors, tmp_path / "v1.safetensors")
    convert(tmp_path / "v1.safetensors", tmp_path / "video")
    assert verify(tmp_path / "video", Requirement("video", ("unet", "vae"), {"unet": LatentVideoUNet})) == []
    latents = torch.randn(1, 4, 8, 8)
    with torch.inference_mode():
        converted = Checkpoints(tmp_path).vae("video", HERE).decode(latents).sample
        torch.testing.assert_close(converted, vae.decode(latents).sample)


def vae_name_in_file(name: str) -> str:
    """The name of the small VAE's tensor in the published single file."""
    for pattern, published in (
        (r"down_blocks\.(\d)\.resnets", r"down.\1.block"),
        (r"down_blocks\.(\d)\.downsamplers\.0", r"down.\1.downsample"),
        (r"up_blocks\.0", "up.1"),
        (r"up_blocks\.1", "up.0"),
        (r"(up\.\d)\.resnets", r"\1.block"),
        (r"(up\.\d)\.upsamplers\.0", r"\1.upsample"),
        (r"mid_block\.resnets\.0", "mid.block_1"),
        (r"mid_block\.resnets\.1", "mid.block_2"),
        (r"mid_block\.attentions\.0", "mid.attn_1"),
        (r"attn_1\.group_norm", "attn_1.norm"),
        (r"\.to_([qkv])\.", r".\1."),
        (r"\.to_out\.0\.", ".proj_out."),
        ("conv_norm_out", "norm_out"),
        ("conv_shortcut", "nin_shortcut"),
    ):
        name = re.sub(pattern, published, name)
    return f"first_stage_model.{name}"
