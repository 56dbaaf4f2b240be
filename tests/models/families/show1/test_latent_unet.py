"""The latent UNet has the published tensors and arithmetic, and temporal layers that start as the identity."""

from __future__ import annotations

import json

import pytest

from cascade.models.errors import CheckpointError
from cascade.models.families.show1.latent_unet import LatentUNetConfig, LatentVideoUNet
from tests.models.families.show1.small_configs import GOLDEN, LATENT, TEXT_WIDTH
from tests.models.network_checks import (
    check_begins_as_image_model,
    check_outputs,
    check_temporal_layers_mix_frames,
    check_tensors,
)


def test_every_published_tensor_has_its_place() -> None:
    check_tensors(LatentVideoUNet, GOLDEN / "manifest_expert_translation.json")


@pytest.mark.parametrize("learning", [False, True])
def test_outputs_agree_with_the_published_code(learning: bool) -> None:
    check_outputs(LatentVideoUNet, GOLDEN / "expert_translation_unet", learning=learning)


def test_new_temporal_layers_leave_the_image_model_as_it_was() -> None:
    check_begins_as_image_model(LatentVideoUNet(LATENT), LATENT.in_channels, TEXT_WIDTH)


def test_trained_temporal_layers_mix_frames() -> None:
    check_temporal_layers_mix_frames(LatentVideoUNet(LATENT), LATENT.in_channels, TEXT_WIDTH)


@pytest.mark.parametrize(("key", "value"), [("new_trick", 1), ("use_linear_projection", False)])
def test_a_configuration_that_would_change_the_arithmetic_is_refused(key: str, value: object) -> None:
    with pytest.raises(CheckpointError, match=key):
        LatentUNetConfig.from_dict({key: value})


def test_a_written_configuration_reads_back() -> None:
    written = json.loads(json.dumps(LatentVideoUNet(LATENT).config_json()))
    assert LatentVideoUNet.from_config(written).config == LATENT
