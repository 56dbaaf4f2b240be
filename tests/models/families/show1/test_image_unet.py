"""Every combination of what published configurations may say, held frame by frame against diffusers' image UNet.

The temporal layers are new, and so leave each frame as it is: what is left is the image UNet, computed by other code.
"""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from diffusers import UNet2DConditionModel

from cascade.models.checkpoints.conversion import convert
from cascade.models.checkpoints.files import Requirement, verify
from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.families.show1.inflation import video_config
from cascade.models.families.show1.pixel_unet import PixelVideoUNet
from cascade.models.families.show1.pixel_unet_config import PixelUNetConfig
from cascade.models.layers.temporal import is_temporal
from tests.models.families.show1.recorder import HERE
from tests.models.families.show1.small_configs import GOLDEN
from tests.models.network_checks import check_outputs

STAGES: dict[str, dict[str, Any]] = {
    "keyframes": {"in_channels": 3},
    "interpolation": {"in_channels": 7},
    "super-resolution": {"in_channels": 6, "class_embed_type": "timestep"},
}
TIME_KEYS = [
    {"resnet_skip_time_act": skip, "time_embedding_act_fn": activation, "time_embedding_dim": width}
    for skip, activation, width in itertools.product(
        (True, False),
        (None, "silu"),
        (None, 24),  # the first level's 16 channels x 4 unless given
    )
]
TEXT_WIDTH = 24
FRAMES = 2


def image_unet(**changes: Any) -> UNet2DConditionModel:
    """Make a small image UNet of DeepFloyd IF's form, with random weights."""
    torch.manual_seed(0)
    config: dict[str, Any] = {
        "sample_size": 8,
        "in_channels": 3,
        "out_channels": 6,
        "down_block_types": ("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
        "mid_block_type": "UNetMidBlock2DSimpleCrossAttn",
        "up_block_types": ("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
        "block_out_channels": (16, 32),
        "norm_num_groups": 8,
        "layers_per_block": 1,
        "cross_attention_dim": 32,
        "encoder_hid_dim": TEXT_WIDTH,
        "attention_head_dim": 8,
        "addition_embed_type": "text",
        "addition_embed_type_num_heads": 2,
        "cross_attention_norm": "group_norm",
        "resnet_time_scale_shift": "scale_shift",
        "act_fn": "gelu",
    }
    return UNet2DConditionModel(**(config | changes)).eval()


def video_unet(image: UNet2DConditionModel) -> PixelVideoUNet:
    """Make the video UNet of an image UNet, by its configuration as diffusers writes it, and with its weights."""
    config = video_config(json.loads(image.to_json_string()))
    assert isinstance(config, PixelUNetConfig)
    network = PixelVideoUNet(config).eval()
    misfits = network.load_state_dict(image.state_dict(), strict=False)
    assert misfits.unexpected_keys == []
    assert all(is_temporal(name) for name in misfits.missing_keys)
    return network


@torch.inference_mode()
def check_frames(video: PixelVideoUNet, image: UNet2DConditionModel) -> None:
    """Hold that the video UNet gives every frame what the image UNet gives it alone."""
    generator = torch.Generator().manual_seed(1)
    clip = torch.randn(2, image.config["in_channels"], FRAMES, 8, 8, generator=generator)
    text = torch.randn(2, 5, TEXT_WIDTH, generator=generator)
    labels = torch.tensor([250, 3]) if video.takes_noise_level else None
    timesteps = torch.tensor([500, 20])
    together = video(clip, timesteps, text, labels)
    for frame in range(FRAMES):
        alone = image(clip[:, :, frame], timesteps, text, class_labels=labels).sample
        torch.testing.assert_close(together[:, :, frame], alone, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("stage", STAGES)
def test_the_time_embedding_goes_the_way_that_the_configuration_says(stage: str) -> None:
    outputs = []
    for keys in TIME_KEYS:
        image = image_unet(**STAGES[stage], **keys)
        video = video_unet(image)
        check_frames(video, image)
        outputs.append(video.time_embedding.linear_2.out_features)
    assert outputs == [keys["time_embedding_dim"] or 64 for keys in TIME_KEYS]


def test_what_a_configuration_leaves_out_is_as_the_published_class_has_it() -> None:
    """Stage-I configurations by the published converter: the three keys are absent or have their defaults."""
    image = image_unet()
    config = json.loads(image.to_json_string())
    assert config["resnet_skip_time_act"] is False
    for key in ("resnet_skip_time_act", "time_embedding_act_fn", "time_embedding_dim"):
        del config[key]
    video = PixelVideoUNet(video_config(config)).eval()  # type: ignore[arg-type]
    video.load_state_dict(image.state_dict(), strict=False)
    check_frames(video, image)


@pytest.mark.parametrize(
    ("head_dims", "down", "up"),
    [
        # The way up takes the values in the order of the way down: its lowest level has the first of them.
        ((4, 8, 16), [4, 8, 16], [4, 8, 16]),
        ((16, 4, 8), [16, 4, 8], [16, 4, 8]),
        (8, [8, 8, 8], [8, 8, 8]),
    ],
)
def test_widths_of_heads_per_level_are_not_reversed_on_the_way_up(
    head_dims: int | tuple[int, ...], down: list[int], up: list[int]
) -> None:
    image = image_unet(
        down_block_types=("SimpleCrossAttnDownBlock2D",) * 3,
        up_block_types=("SimpleCrossAttnUpBlock2D",) * 3,
        block_out_channels=(16, 32, 32),
        attention_head_dim=head_dims,
    )
    video = video_unet(image)
    check_frames(video, image)
    # Temporal attention has as many heads as the spatial heads beside it are wide.
    for blocks, widths in ((video.down_blocks, down), (video.up_blocks, up)):
        for block, width in zip(blocks, widths, strict=True):
            for temporal in cast("list[Any]", block.temp_attentions):
                assert temporal.transformer_blocks[0].attn1.heads == width


def test_other_values_per_level_are_reversed_on_the_way_up() -> None:
    image = image_unet(
        down_block_types=("SimpleCrossAttnDownBlock2D",) * 3,
        up_block_types=("SimpleCrossAttnUpBlock2D",) * 3,
        block_out_channels=(16, 32, 48),
        layers_per_block=(1, 2, 1),
        only_cross_attention=(True, False, False),
    )
    check_frames(video_unet(image), image)


def test_an_activation_inside_the_blocks_is_the_golden_one_before_them(tmp_path: Path) -> None:
    """GELU once before all blocks, as the golden case has it, or in every block: the same numbers, temporal layers and all."""
    golden = GOLDEN / "keyframes_unet"
    for file in golden.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config = json.loads((golden / "config.json").read_text())
    inside = {"resnet_skip_time_act": False, "time_embedding_act_fn": None}
    (tmp_path / "config.json").write_text(json.dumps(config | inside))
    check_outputs(PixelVideoUNet, tmp_path, learning=False)


@pytest.mark.parametrize("skip", [True, False])
def test_a_conversion_keeps_the_keys(skip: bool, tmp_path: Path) -> None:
    image = image_unet(
        **STAGES["super-resolution"],
        resnet_skip_time_act=skip,
        time_embedding_act_fn="silu" if skip else None,
        time_embedding_dim=40,
        down_block_types=("SimpleCrossAttnDownBlock2D",) * 2,
        up_block_types=("SimpleCrossAttnUpBlock2D",) * 2,
        attention_head_dim=(4, 16),
    )
    image.save_pretrained(tmp_path / "image" / "unet")
    conversion = convert(tmp_path / "image", tmp_path / "video")
    assert conversion.left == ()
    written = json.loads((tmp_path / "video" / "unet" / "config.json").read_text())
    assert written["resnet_skip_time_act"] is skip
    assert written["time_embedding_dim"] == 40
    assert verify(tmp_path / "video", Requirement("video", ("unet",), {"unet": PixelVideoUNet})) == []
    check_frames(Checkpoints(tmp_path).network("video", PixelVideoUNet, HERE), image)
