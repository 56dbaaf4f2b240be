"""The latent UNet has the published tensors and arithmetic, and temporal layers that start as the identity."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file

from cascade.models.errors import CheckpointError
from cascade.models.families.show1.latent_unet import LatentUNetConfig, LatentVideoUNet
from tests.models.families.show1.small_configs import GOLDEN, LATENT, TEXT_WIDTH


def test_every_published_tensor_has_its_place() -> None:
    manifest = json.loads((GOLDEN / "manifest_expert_translation.json").read_text())
    with torch.device("meta"):
        network = LatentVideoUNet.from_config(manifest["config"])
    assert {k: list(v.shape) for k, v in network.state_dict().items()} == manifest["tensors"]
    assert sum(p.numel() for p in network.parameters()) == manifest["parameters"]


@pytest.mark.parametrize("learning", [False, True])
def test_outputs_agree_with_the_published_code(learning: bool) -> None:
    folder = GOLDEN / "expert_translation_unet"
    network = LatentVideoUNet.from_config(json.loads((folder / "config.json").read_text())).eval()
    network.load_state_dict(load_file(folder / "weights.safetensors"))
    inputs = load_file(folder / "inputs.safetensors")
    expected = load_file(folder / "outputs.safetensors")["sample"]
    with torch.inference_mode(mode=not learning):
        output = network(inputs["sample"], inputs["timestep"], inputs["encoder_hidden_states"])
    error = ((output - expected).abs().max() / expected.abs().max()).item()
    assert error < 1e-4, f"relative error {error:.1e}"


def test_new_temporal_layers_leave_the_image_model_as_it_was() -> None:
    network = LatentVideoUNet(LATENT).eval()
    video, text = torch.randn(1, LATENT.in_channels, 4, 8, 12), torch.randn(1, 5, TEXT_WIDTH)
    with torch.inference_mode():
        together = network(video, 500, text)
        alone = torch.cat([network(video[:, :, f : f + 1], 500, text) for f in range(4)], dim=2)
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("key", "value"), [("new_trick", 1), ("use_linear_projection", False)])
def test_a_configuration_that_would_change_the_arithmetic_is_refused(key: str, value: object) -> None:
    with pytest.raises(CheckpointError, match=key):
        LatentUNetConfig.from_dict({key: value})


def test_a_written_configuration_reads_back() -> None:
    written = json.loads(json.dumps(LatentVideoUNet(LATENT).config_json()))
    assert LatentVideoUNet.from_config(written).config == LATENT
