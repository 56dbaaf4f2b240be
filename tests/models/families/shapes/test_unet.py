"""The small cascade's network: what it puts around an unchanged Show-1 UNet."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional

from cascade.models.checkpoints.files import Requirement, verify
from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.checkpoints.writing import write_network
from cascade.models.errors import CheckpointError
from cascade.models.families.shapes.caption_prior import PRIOR_CHANNELS
from cascade.models.families.shapes.layout import VARIABLES
from cascade.models.families.shapes.random_checkpoints import (
    INTERPOLATION,
    KEYFRAMES,
    PIXEL_UNET,
    SUPER_RESOLUTION,
    TEXT_WIDTH,
)
from cascade.models.families.shapes.unet import ShapesUNet, ShapesUNetConfig
from cascade.models.runtime.execution import Execution
from tests.models.network_checks import check_begins_as_image_model, check_temporal_layers_mix_frames

CPU = Execution(device="cpu")


def shaken(network: ShapesUNet) -> ShapesUNet:
    """Give every parameter a value, also those that begin as zeros."""
    torch.manual_seed(0)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    return network.eval()


def corners(video: Tensor, patch: int) -> Tensor:
    """Fold by slicing: (b, c, f, h, w) to (b, c·patch², f, h/patch, w/patch), a channel's corners row by row."""
    parts = [video[..., y::patch, x::patch] for y in range(patch) for x in range(patch)]
    return torch.stack(parts, dim=2).flatten(1, 2)


def from_corners(folded: Tensor, patch: int) -> Tensor:
    """Undo `corners` by slicing: (b, c·patch², f, h/patch, w/patch) to (b, c, f, h, w)."""
    batch, channels, frames, height, width = folded.shape
    video = folded.new_empty(batch, channels // patch**2, frames, height * patch, width * patch)
    for corner in range(patch**2):
        y, x = divmod(corner, patch)
        video[..., y::patch, x::patch] = folded[:, corner :: patch**2]
    return video


@pytest.mark.parametrize(
    ("config", "inputs", "labels"),
    [
        (KEYFRAMES, 3, None),
        (INTERPOLATION, 7, None),
        (SUPER_RESOLUTION, 6, torch.tensor([9])),
    ],
    ids=["keyframes", "interpolation", "super-resolution"],
)
def test_it_is_prior_patches_unet_patches_and_condition(
    config: ShapesUNetConfig, inputs: int, labels: Tensor | None
) -> None:
    network = shaken(ShapesUNet(config))
    video, text = torch.randn(1, inputs, 4, 16, 24), torch.randn(1, 5, TEXT_WIDTH)
    with torch.inference_mode():
        output = network(video, 500, text, labels)
        sample = video
        if network.prior is not None:
            prior = functional.interpolate(
                network.prior(text, torch.zeros(1, len(VARIABLES))), (4, 16, 24), mode="trilinear"
            )
            sample = torch.cat([video, prior], dim=1)
        inner = network.unet(corners(sample, config.patch_size), 500, text, labels)
        expected = from_corners(inner, config.patch_size)
        if config.residual:
            expected = expected + video[:, 3:6]
    assert output.shape == (1, 3, 4, 16, 24)
    assert torch.equal(output, expected)


def test_folding_by_slicing_is_undone_by_slicing() -> None:
    video = torch.randn(2, 3, 2, 8, 12)
    assert torch.equal(from_corners(corners(video, 4), 4), video)


def test_a_network_with_a_prior_sees_what_its_words_alone_decide() -> None:
    network = shaken(ShapesUNet(KEYFRAMES))
    sample, text = torch.randn(1, 3, 8, 20, 32), torch.randn(1, 5, TEXT_WIDTH)
    with torch.inference_mode():
        own = network.prior_of(text, None, (8, 20, 32))
        assert own.shape == (1, PRIOR_CHANNELS, 8, 20, 32)
        plain = network(sample, 500, text)
        assert torch.equal(plain, network(sample, 500, text, prior=own))
        other = network(sample, 500, text, prior=own.flip(-1))
        laid_out = network(sample, 500, text, layout=torch.ones(1, len(VARIABLES)))
    assert (other - plain).abs().max() > 1e-3
    assert (laid_out - plain).abs().max() > 1e-3


def test_a_fresh_residual_network_predicts_its_condition() -> None:
    network = ShapesUNet(INTERPOLATION).eval()
    sample = torch.randn(2, 7, 5, 20, 32)
    with torch.inference_mode():
        assert torch.equal(network(sample, 500, torch.randn(2, 5, TEXT_WIDTH)), sample[:, 3:6])


def test_new_temporal_layers_leave_the_image_model_as_it_was() -> None:
    # Without a prior, which is of a whole clip: one frame alone has another.
    config = ShapesUNetConfig.around(PIXEL_UNET, patch_size=2, attention_across_space=(False, True))
    check_begins_as_image_model(ShapesUNet(config), 3, TEXT_WIDTH)


def test_trained_temporal_layers_mix_frames() -> None:
    check_temporal_layers_mix_frames(ShapesUNet(KEYFRAMES), 3, TEXT_WIDTH)


def test_a_written_network_is_read_back(tmp_path: Path) -> None:
    network = shaken(ShapesUNet(KEYFRAMES))
    write_network(tmp_path / "keyframes", network)
    requirement = Requirement("keyframes", ("unet",), {"unet": ShapesUNet})
    assert verify(tmp_path / "keyframes", requirement) == []
    again = Checkpoints(tmp_path).network("keyframes", ShapesUNet, CPU)
    assert again.config == KEYFRAMES
    assert_equal_networks(again, network)


def assert_equal_networks(first: ShapesUNet, second: ShapesUNet) -> None:
    tensors, others = first.state_dict(), second.state_dict()
    assert tensors.keys() == others.keys()
    assert all(torch.equal(tensor, others[name]) for name, tensor in tensors.items())
    inputs = torch.randn(1, 3, 4, 8, 12), 500, torch.randn(1, 5, TEXT_WIDTH)
    with (
        torch.inference_mode()
    ):  # kernels may sum in another order where a file's tensors are aligned otherwise
        torch.testing.assert_close(first(*inputs), second(*inputs))


def test_a_configuration_that_would_change_the_arithmetic_is_refused() -> None:
    config: dict[str, Any] = ShapesUNet(KEYFRAMES).config_json()
    with pytest.raises(CheckpointError, match="new_trick"):
        ShapesUNetConfig.from_dict(config | {"new_trick": 1})


def test_a_unet_within_has_the_channels_of_the_folded_clip() -> None:
    # Three colours and the seven channels of the prior, in squares of four pixels.
    assert (KEYFRAMES.unet.in_channels, KEYFRAMES.unet.out_channels) == ((3 + 7) * 4, 3 * 4)
    assert (SUPER_RESOLUTION.unet.in_channels, SUPER_RESOLUTION.unet.out_channels) == (6 * 16, 3 * 16)
    with pytest.raises(CheckpointError, match="attention_across_space"):
        ShapesUNet(replace(KEYFRAMES, attention_across_space=(True, True, True)))


def test_written_names_are_the_new_ones(tmp_path: Path) -> None:
    write_network(tmp_path, ShapesUNet(KEYFRAMES))
    names = load_file(tmp_path / "unet" / "diffusion_pytorch_model.safetensors").keys()
    assert {name.split(".")[0] for name in names} == {"unet", "prior"}
