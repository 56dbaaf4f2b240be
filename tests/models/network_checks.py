"""What every published video network must do, whatever its family."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn

from cascade.models.checkpoints.network import CheckpointNetwork
from cascade.models.layers.temporal import is_temporal

FRAMES, HEIGHT, WIDTH = 4, 8, 12


def check_tensors(kind: type[CheckpointNetwork], manifest: Path) -> None:
    """Compare names, shapes and the number of parameters with a manifest of the published checkpoint."""
    published = json.loads(manifest.read_text())
    with torch.device("meta"):
        network = kind.from_config(published["config"])
    assert {name: list(tensor.shape) for name, tensor in network.state_dict().items()} == published["tensors"]
    assert sum(parameter.numel() for parameter in network.parameters()) == published["parameters"]


def check_outputs(kind: type[CheckpointNetwork], golden: Path, *, learning: bool) -> None:
    """Compare outputs with those of the published code: a relative error below 1e-4."""
    network = kind.from_config(json.loads((golden / "config.json").read_text())).eval()
    network.load_state_dict(load_file(golden / "weights.safetensors"))
    inputs = load_file(golden / "inputs.safetensors")
    expected = load_file(golden / "outputs.safetensors")["sample"]
    with torch.inference_mode(mode=not learning):
        output = network(inputs["sample"], inputs["timestep"], inputs["encoder_hidden_states"])
    error = ((output - expected).abs().max() / expected.abs().max()).item()
    assert error < 1e-4, f"relative error {error:.1e}"


def check_begins_as_image_model(network: nn.Module, channels: int, text_width: int) -> None:
    """Hold that fresh temporal layers give every frame what it gets alone."""
    video, text = torch.randn(1, channels, FRAMES, HEIGHT, WIDTH), torch.randn(1, 5, text_width)
    network.eval()
    with torch.inference_mode():
        together = network(video, 500, text)
        alone = torch.cat([network(video[:, :, f : f + 1], 500, text) for f in range(FRAMES)], dim=2)
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


def check_temporal_layers_mix_frames(network: nn.Module, channels: int, text_width: int) -> None:
    """Hold that trained temporal layers carry a change of the last frame to the first."""
    for name, parameter in network.named_parameters():
        if is_temporal(name):
            nn.init.normal_(parameter, std=0.05)
    video, text = torch.randn(1, channels, FRAMES, HEIGHT, WIDTH), torch.randn(1, 5, text_width)
    changed = video.clone()
    changed[:, :, -1] += 1
    network.eval()
    with torch.inference_mode():
        difference = (network(video, 500, text) - network(changed, 500, text)).abs()
    assert difference[:, :, 0].max() > 1e-4
