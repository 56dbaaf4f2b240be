"""MoVQ: the decoders of table 3, as published, and against diffusers' VQModel."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
import torch
from diffusers import VQModel
from torch import nn

from cascade.models.errors import CheckpointError
from cascade.models.families.fusion_frames.movq import MoVQ
from cascade.models.families.fusion_frames.movq_config import TABLE_3, MoVQConfig
from cascade.models.families.fusion_frames.movq_names import published_config, published_names
from cascade.models.families.fusion_frames.movq_temporal import inflate
from tests.models.families.fusion_frames.golden import GOLDEN, error, manifest, tensors

COUNTS = {
    "image": 161_118_211,
    "conv-3x1x1": 203_210_271,
    "conv-3x3x3": 539_803_167,
    "conv-3x1x1-attention": 220_053_023,
    "conv-3x3x3-attention": 556_645_919,
    "resnet-block-attention": 220_268_035,
    "3d": 419_461_123,
}
SMALL = {"ch": 32, "ch_mult": (1, 2), "num_res_blocks": 1, "resolution": 16, "attn_resolutions": (8,)}


def small(name: str) -> MoVQ:
    torch.manual_seed(0)
    return MoVQ(replace(TABLE_3[name], **SMALL)).eval()  # type: ignore[arg-type]


@pytest.mark.parametrize("name", COUNTS)
def test_the_decoders_of_table_3_have_as_many_parameters_as_counted(name: str) -> None:
    with torch.device("meta"):
        movq = MoVQ(TABLE_3[name])
    assert sum(parameter.numel() for parameter in movq.decoder.parameters()) == COUNTS[name]


def test_names_shapes_and_number_of_parameters_are_the_published_ones() -> None:
    published = manifest("video_movq_1_1")
    with torch.device("meta"):
        movq = MoVQ.from_config(published["config"])
    assert {key: list(value.shape) for key, value in movq.state_dict().items()} == published["tensors"]
    assert sum(parameter.numel() for parameter in movq.parameters()) == published["parameters"]


def test_the_golden_video_decoder() -> None:
    """3x3x3 convolutions and attention; measured: 1e-6."""
    case = "video_decoder_conv3x3x3_attn"
    movq = MoVQ.from_config(json.loads((GOLDEN / case / "config.json").read_text())).eval()
    weights = movq.state_dict() | tensors(case, "weights")  # the case has no encoder
    movq.load_state_dict(weights)
    with torch.inference_mode():
        frames = movq.decode(tensors(case, "inputs")["z"])
    assert error(frames, tensors(case, "outputs")["frames"]) < 1e-5


def vq_model() -> VQModel:
    torch.manual_seed(0)
    return VQModel(
        block_out_channels=(32, 64),
        layers_per_block=1,
        latent_channels=4,
        vq_embed_dim=4,
        num_vq_embeddings=16,
        norm_type="spatial",
        down_block_types=("DownEncoderBlock2D", "AttnDownEncoderBlock2D"),
        up_block_types=("AttnUpDecoderBlock2D", "UpDecoderBlock2D"),
    ).eval()


def test_the_image_autoencoder_is_diffusers_vq_model() -> None:
    theirs = vq_model()
    ours = MoVQ.from_config(published_config({**theirs.config, "_class_name": "VQModel"})).eval()
    ours.load_state_dict(published_names(theirs.state_dict(), levels=2))
    pictures = torch.randn(3, 3, 16, 24)
    with torch.inference_mode():
        latents = theirs.encode(pictures).latents
        torch.testing.assert_close(ours.encode(pictures), latents, rtol=1e-4, atol=1e-5)
        decoded = theirs.decode(latents, force_not_quantize=True).sample
        torch.testing.assert_close(ours.decode(latents), decoded, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", [name for name in COUNTS if name != "image"])
def test_a_fresh_video_decoder_is_the_image_decoder(name: str) -> None:
    image, video = small("image"), MoVQ(replace(small(name).config, attend_to_first_frame=False)).eval()
    own = video.state_dict()
    for key, tensor in image.state_dict().items():
        own[key] = inflate(tensor) if own[key].ndim > tensor.ndim else tensor
    video.load_state_dict(own)
    latents = torch.randn(5, 4, 4, 6)
    with torch.inference_mode():
        torch.testing.assert_close(video.decode(latents), image.decode(latents), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", [name for name in COUNTS if name != "image"])
def test_a_trained_video_decoder_mixes_frames(name: str) -> None:
    movq = MoVQ(replace(small(name).config, attend_to_first_frame=False)).eval()
    for key, parameter in movq.decoder.named_parameters():
        if "temporal" in key:
            nn.init.normal_(parameter, std=0.1)
    latents = torch.randn(4, 4, 4, 6)
    changed = latents.clone()
    changed[3] += 1
    with torch.inference_mode():
        difference = (movq.decode(changed) - movq.decode(latents)).abs().flatten(1).amax(dim=1)
    assert (difference > 1e-5).all()


def test_the_first_frames_latent_modulates_the_attention_of_all_where_it_was_published_so() -> None:
    config = replace(small("conv-3x3x3-attention").config)
    published, corrected = MoVQ(config), MoVQ(replace(config, attend_to_first_frame=False))
    corrected.load_state_dict(published.state_dict())
    latents = torch.randn(3, 4, 4, 6)
    with torch.inference_mode():
        difference = (published.eval().decode(latents) - corrected.eval().decode(latents)).abs()
        alone = (published.decode(latents[:1]) - corrected.decode(latents[:1])).abs()
    assert difference[1:].max() > 1e-4
    assert alone.max() < 1e-6


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"flicker_augmentation": True}, "flicker_augmentation"),
        ({"temporal_kernel_size": [3, 2, 2]}, "odd numbers"),
        ({"temporal": True, "temporal_conv_padding": [0, 1, 1]}, "keep the size"),
        ({"temporal": True, "build_3D_decoder": True}, "build_3D_decoder"),
    ],
)
def test_a_configuration_that_would_compute_something_else_is_refused(
    change: dict[str, Any], message: str
) -> None:
    with pytest.raises(CheckpointError, match=message):
        MoVQConfig.from_dict({"ch": 32, **change})
