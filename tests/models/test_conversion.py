"""Image checkpoints become video checkpoints that begin as the image model; checkpoint files are verified."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import load_file, save_file

from cascade.models.checkpoints.files import locate, needed_by, verify
from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.errors import CheckpointError
from cascade.models.families.shapes.random_checkpoints import create_random_shapes
from cascade.models.families.show1.inflation import convert
from cascade.models.layers.temporal import is_temporal
from cascade.models.presets.table import SHAPES, SHOW_1
from cascade.models.runtime.execution import Execution

CPU = Execution(device="cpu")
PIXEL = {
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
LATENT = {
    "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
    "in_channels": 4,
    "out_channels": 4,
    "use_linear_projection": True,
    "attention_head_dim": [4, 8],  # numbers of heads, as Stable Diffusion 2 writes them
}


def image_unet(folder: Path, config: dict) -> UNet2DConditionModel:
    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        sample_size=8, block_out_channels=(32, 64), layers_per_block=1, cross_attention_dim=32, **config
    ).eval()
    unet.save_pretrained(folder / "image" / "unet")
    return unet


@pytest.mark.parametrize(
    ("config", "kind", "text_width"), [(PIXEL, "pixel_unet", 24), (LATENT, "latent_unet", 32)]
)
def test_a_converted_model_gives_each_frame_what_the_image_model_gives(
    config: dict, kind: str, text_width: int, tmp_path: Path
) -> None:
    image = image_unet(tmp_path, config)
    conversion = convert(tmp_path / "image", tmp_path / "video")
    assert conversion.left == ()
    assert set(conversion.matched) == set(image.state_dict())
    assert all(is_temporal(name) for name in conversion.new)
    video = getattr(Checkpoints(tmp_path), kind)("video", CPU)
    frames, text = torch.randn(1, config["in_channels"], 3, 8, 8), torch.randn(1, 5, text_width)
    with torch.inference_mode():
        together = video(frames, 500, text)
        for index in range(3):
            alone = image(frames[:, :, index], 500, text).sample
            torch.testing.assert_close(together[:, :, index], alone, rtol=1e-4, atol=1e-4)


def test_additional_input_channels_begin_without_effect(tmp_path: Path) -> None:
    image_unet(tmp_path, PIXEL)
    convert(tmp_path / "image", tmp_path / "video", in_channels=7)
    video = Checkpoints(tmp_path).pixel_unet("video", CPU)
    frames, text = torch.randn(1, 7, 2, 8, 8), torch.randn(1, 5, 24)
    changed = torch.cat([frames[:, :3], torch.randn(1, 4, 2, 8, 8)], dim=1)
    with torch.inference_mode():
        torch.testing.assert_close(video(frames, 500, text), video(changed, 500, text))


def test_a_published_video_checkpoint_converts_whole(tmp_path: Path) -> None:
    create_random_shapes(tmp_path)
    conversion = convert(tmp_path / "shapes" / "keyframes", tmp_path / "interpolation", in_channels=7)
    assert (conversion.new, conversion.left) == ((), ())
    assert (tmp_path / "interpolation" / "tokenizer").is_dir()
    with pytest.raises(CheckpointError, match="there already"):
        convert(tmp_path / "shapes" / "keyframes", tmp_path / "interpolation")


def test_what_the_presets_need_is_known() -> None:
    assert {needed.name: needed.parts for needed in needed_by(SHOW_1)} == {
        "showlab/show-1-base": ("unet", "text_encoder", "tokenizer"),
        "showlab/show-1-interpolation": ("unet",),
        "showlab/show-1-sr1": ("unet",),
        "DeepFloyd/IF-II-L-v1.0": ("unet", "scheduler", "image_noising_scheduler"),
        "showlab/show-1-sr2": ("unet", "scheduler", "vae", "text_encoder", "tokenizer"),
    }


def test_verification_says_exactly_what_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    create_random_shapes(tmp_path)
    keyframes, *_, last = needed_by(SHAPES)
    assert locate(tmp_path, "shapes/nowhere") is None
    path = locate(tmp_path, keyframes.name)
    assert verify(path, keyframes) == []

    weights = path / "unet" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(weights)
    tensors["conv_in.bias"] = torch.zeros(5)
    tensors["surprise"] = torch.zeros(1)
    del tensors["conv_out.bias"]
    save_file(tensors, weights)
    assert verify(path, keyframes) == [
        "unet/: missing conv_out.bias (12,)",
        "unet/: unexpected surprise (1,)",
        "unet/: conv_in.bias is (5,), not (64,)",
        "unet/diffusion_pytorch_model.safetensors is damaged: its checksum differs",
    ]
    path = locate(tmp_path, last.name)
    (path / "vae").rename(path / "elsewhere")
    faults = verify(path, last)
    assert faults[0] == "vae/ is missing"
    assert "vae/config.json is missing" in faults


def test_a_configuration_without_a_video_counterpart_is_refused(tmp_path: Path) -> None:
    (tmp_path / "image" / "unet").mkdir(parents=True)
    config = {
        "down_block_types": ["AttnDownBlock2D"],
        "use_linear_projection": False,
        "block_out_channels": [32],
    }
    (tmp_path / "image" / "unet" / "config.json").write_text(json.dumps(config | {"attention_head_dim": 8}))
    with pytest.raises(CheckpointError, match="use_linear_projection"):
        convert(tmp_path / "image", tmp_path / "video")
