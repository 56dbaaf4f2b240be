"""The UNets: as published, and what their temporal parts do."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cascade.models.errors import CheckpointError
from cascade.models.families.fusion_frames.interpolation_unet import InterpolationUNet
from cascade.models.families.fusion_frames.keyframes_unet import KeyframesUNet
from cascade.models.families.fusion_frames.video_unet import VideoUNet
from tests.models.families.fusion_frames.golden import about, error, manifest, network, tensors

SMALL = {
    "model_channels": 12,
    "init_channels": 8,
    "time_embed_dim": 24,
    "context_dim": 20,
    "groups": 2,
    "head_dim": 4,
    "expansion_ratio": 2,
    "dim_mult": [1, 2],
    "num_blocks": [2, 2],
    "add_cross_attention": [False, True],
    "add_self_attention": [False, True],
    "num_channels": 4,
    "out_channels": 4,
}
FRAMES = 4
IMAGE_PARAMETERS = 3_038_562_820


def keyframes_unet(parts: str, **config: Any) -> KeyframesUNet:
    torch.manual_seed(0)
    unet = KeyframesUNet.from_config({**SMALL, "temporal_parts": parts, **config}).eval()
    for name, parameter in unet.named_parameters():
        if "context_mlp" in name:  # zero at the start: the norms would not know the time
            nn.init.normal_(parameter, std=0.1)
    return unet


def run(unet: VideoUNet, x: Tensor, **conditions: Any) -> Tensor:
    torch.manual_seed(1)
    context = torch.randn(1, 5, 20).expand(len(x), -1, -1)
    with torch.inference_mode():
        output: Tensor = unet(x, torch.full((len(x),), 500), context, **conditions)
    return output


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("keyframes_1_0", KeyframesUNet),
        ("keyframes_1_1", KeyframesUNet),
        ("interpolation_1_0", InterpolationUNet),
        ("interpolation_1_1", InterpolationUNet),
    ],
)
def test_names_shapes_and_number_of_parameters_are_the_published_ones(
    name: str, kind: type[VideoUNet]
) -> None:
    published = manifest(name)
    with torch.device("meta"):
        unet = kind.from_config(published["config"])
    assert {key: list(value.shape) for key, value in unet.state_dict().items()} == published["tensors"]
    assert sum(parameter.numel() for parameter in unet.parameters()) == published["parameters"]


@pytest.mark.parametrize(
    ("parts", "temporal"),
    [
        ("none", 0),
        ("blocks-1.0", 1_105_176_192),
        (
            "layers",
            875_235_456,
        ),  # 831,279,744 in convolutions, 41,298,432 in attentions, 2,657,280 for positions
    ],
)
def test_temporal_parameters_of_blocks_and_of_layers_at_full_size(parts: str, temporal: int) -> None:
    with torch.device("meta"):
        unet = KeyframesUNet.from_config(manifest("keyframes_1_0")["config"] | {"temporal_parts": parts})
    assert sum(parameter.numel() for parameter in unet.parameters()) == IMAGE_PARAMETERS + temporal


def test_the_golden_keyframe_unet() -> None:
    """Version 1.0; measured: 2e-6."""
    unet = network("keyframes_unet_1_0", KeyframesUNet)
    with torch.inference_mode():
        output = unet(**tensors("keyframes_unet_1_0", "inputs"))
    assert error(output, tensors("keyframes_unet_1_0", "outputs")["y"]) < 1e-5


def test_the_golden_interpolation_unet() -> None:
    """Version 1.1, half of the batch masked; measured: 3e-6."""
    case = "interpolation_unet_1_1"
    unet = network(case, InterpolationUNet)
    groups = about(case)["num_predicted_groups"]
    with torch.inference_mode():
        output = unet(**tensors(case, "inputs"), num_predicted_groups=groups)
    assert error(output, tensors(case, "outputs")["y"]) < 1e-5


@pytest.mark.parametrize("parts", ["blocks-1.0", "blocks-1.1", "layers", "layers-1.0", "layers-1.1"])
def test_a_fresh_network_is_the_image_network_frame_by_frame(parts: str) -> None:
    unet = keyframes_unet(parts)
    video = torch.randn(2 * FRAMES, 4, 8, 8)
    positions = torch.arange(FRAMES).repeat(2)
    if parts == "blocks-1.1":  # images have a first convolution of their own
        unet.image_in_layer.load_state_dict(unet.in_layer.state_dict())
    together = run(unet, video, temporal_embed=positions, num_frames=FRAMES)
    torch.testing.assert_close(together, run(unet, video), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("parts", ["blocks-1.0", "blocks-1.1", "layers", "layers-1.0", "layers-1.1"])
def test_trained_temporal_parts_mix_the_frames_of_a_clip_and_of_no_other(parts: str) -> None:
    unet = keyframes_unet(parts)
    for name, parameter in unet.named_parameters():
        if "temporal" in name:
            nn.init.normal_(parameter, std=0.2)
    video = torch.randn(2 * FRAMES, 4, 8, 8)
    changed = video.clone()
    changed[FRAMES - 1] += 1
    positions = torch.arange(FRAMES).repeat(2)
    before, after = (run(unet, x, temporal_embed=positions, num_frames=FRAMES) for x in (video, changed))
    difference = (after - before).abs().flatten(1).amax(dim=1)
    assert (difference[:FRAMES] > 1e-4).all()
    assert (difference[FRAMES:] < 1e-5).all()


@pytest.mark.parametrize("parts", ["blocks-1.0", "blocks-1.1", "layers"])
def test_temporal_parts_know_where_a_frame_lies_in_time(parts: str) -> None:
    unet = keyframes_unet(parts)
    for name, parameter in unet.named_parameters():
        if "temporal" in name:
            nn.init.normal_(parameter, std=0.2)
    video = torch.randn(FRAMES, 4, 8, 8)
    near, far = (
        run(unet, video, temporal_embed=torch.arange(FRAMES) * step, num_frames=FRAMES) for step in (1, 12)
    )
    assert (near - far).abs().max() > 1e-4


def test_the_noise_level_and_the_motion_score_are_known_in_version_1_1() -> None:
    unet = keyframes_unet("blocks-1.1", noise_augmentation=True, motion_score=True)
    for name, parameter in unet.named_parameters():
        if "temporal" in name:
            nn.init.normal_(parameter, std=0.2)
    known = {"noise_aug_time": torch.full((FRAMES,), 20), "motion_score": torch.full((FRAMES,), 10)}
    video, positions = torch.randn(FRAMES, 4, 8, 8), torch.arange(FRAMES)
    outputs = [
        run(unet, video, temporal_embed=positions, num_frames=FRAMES, **(known | change))
        for change in (
            {},
            {"noise_aug_time": torch.full((FRAMES,), 200)},
            {"motion_score": torch.full((FRAMES,), 100)},
        )
    ]
    assert all((outputs[0] - other).abs().max() > 1e-4 for other in outputs[1:])


def test_a_masked_group_is_predicted_by_the_spatial_network_alone() -> None:
    """mt = 0 of equation 3, whatever the temporal layers hold."""
    unet = network("interpolation_unet_1_1", InterpolationUNet)
    x = torch.randn(4, 20, 8, 8)
    conditions = {"skip_frames": torch.full((4,), 3), "perturbation_time": torch.zeros(4)}
    masked = run(unet, x, num_predicted_groups=4, temporal_mask=torch.zeros(4), **conditions)
    alone = run(unet, x, **conditions)
    torch.testing.assert_close(masked, alone)


def test_a_fresh_temporal_convolution_learns_at_once() -> None:
    """Begun as zeros merged with weight 0, it would have no gradient."""
    unet = keyframes_unet("layers")
    positions = torch.arange(FRAMES)
    context = torch.randn(FRAMES, 5, 20)
    output = unet(torch.randn(FRAMES, 4, 8, 8), torch.full((FRAMES,), 500), context, None, positions, FRAMES)
    output.square().mean().backward()
    gradients = [
        parameter.grad.abs().max()
        for name, parameter in unet.named_parameters()
        if name.endswith("temporal_projection.weight") and parameter.grad is not None
    ]
    assert (
        len(gradients) == 64
    )  # 4 sub-blocks of 2 residual blocks of 2 blocks of 2 levels down and 2 levels up
    assert min(gradients) > 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"time_downsample": [True, False]}, "time_downsample"),
        ({"num_blocks": [2]}, "num_blocks has 1 values for 2 levels"),
        ({"temporal_parts": "both"}, "temporal_parts"),
        ({"heads": 3}, "heads"),
    ],
)
def test_a_configuration_that_would_compute_something_else_is_refused(
    change: dict[str, Any], message: str
) -> None:
    with pytest.raises(CheckpointError, match=message):
        KeyframesUNet.from_config({**SMALL, **change})
