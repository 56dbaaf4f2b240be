"""C3D reads its published files, and sees what it was trained on."""

from __future__ import annotations

from pathlib import Path

import numpy
import pytest
import torch

from cascade.models.errors import ModelError
from cascade.models.families.latent_diffusion.c3d import C3D, FRAMES, SIDE

SMALL = {"classes": 5, "channels": 1, "width": 3}


def publish(network: C3D, folder: Path) -> tuple[Path, Path]:
    """Write a network and a mean clip as they are published; the mean is 1 where C3D looks, and 0 beyond."""
    arrays = {}
    for name, parameter in network.named_parameters():
        layer, kind = name.removeprefix("convolutions.").split(".")
        arrays[f"{layer}/{'W' if kind == 'weight' else 'b'}"] = parameter.detach().numpy()
    mean = numpy.zeros((1, 3, FRAMES, 128, 171), numpy.float32)
    mean[..., 8 : 8 + SIDE, 8 : 8 + SIDE] = 1
    files = folder / "conv3d_deepnetA_ucf.npz", folder / "mean2.npz"
    numpy.savez(files[0], **arrays)  # type: ignore[arg-type]
    numpy.savez(files[1], mean=mean)
    return files


def test_its_layers_have_the_published_sizes() -> None:
    with torch.device("meta"):
        network = C3D()
        assert network(torch.zeros(2, 16, 3, 64, 64)).shape == (2, 101)
    assert network.fc6.weight.shape == (4096, 512 * 4 * 4)
    # Counted from the paper's figure: eight 3x3x3 convolutions, and three linear layers of 8192, 4096 and 4096 inputs.
    convolutions = 27 * (3 * 64 + 64 * 128 + 128 * 256 + 256**2 + 256 * 512 + 3 * 512**2)
    biases = 64 + 128 + 256 + 256 + 4 * 512
    linear = (8192 + 1) * 4096 + (4096 + 1) * 4096 + (4096 + 1) * 101
    assert sum(parameter.numel() for parameter in network.parameters()) == convolutions + biases + linear


def test_published_files_give_the_network_that_was_written(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = C3D(**SMALL).eval()
    loaded = C3D.load(*publish(network, tmp_path))
    network.mean.fill_(1)
    clips = torch.rand(2, FRAMES, 3, 32, 48) * 2 - 1
    with torch.inference_mode():
        torch.testing.assert_close(loaded(clips), network(clips))


def test_it_sees_112_pixels_in_blue_green_red_from_0_to_255_less_the_mean() -> None:
    network = C3D(**SMALL)
    network.mean.fill_(2)
    clip = torch.tensor([1.0, 0.0, -1.5]).view(1, 1, 3, 1, 1).expand(1, FRAMES + 4, 3, 30, 40)
    seen = network.prepare(clip)
    assert seen.shape == (1, 3, FRAMES, SIDE, SIDE)
    assert seen[0, :, 0, 0, 0].tolist() == [0 - 2, 127.5 - 2, 255 - 2]
    torch.testing.assert_close(seen, seen[:, :, :1, :1, :1].expand_as(seen))


def test_clips_that_are_too_short_are_refused() -> None:
    with pytest.raises(ValueError, match="classifies 16 frames; the clips have 8"):
        C3D(**SMALL).prepare(torch.zeros(1, 8, 3, 32, 32))


@pytest.mark.parametrize("damage", ["missing", "no file of arrays", "without a layer"])
def test_files_that_are_not_the_published_ones_are_refused(damage: str, tmp_path: Path) -> None:
    weights, mean = publish(C3D(**SMALL), tmp_path)
    if damage == "missing":
        weights.unlink()
    elif damage == "no file of arrays":
        weights.write_text("<html>")
    else:
        numpy.savez(weights, **{"conv1a/W": numpy.zeros(1)})  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="C3D cannot be read from"):
        C3D.load(weights, mean)
