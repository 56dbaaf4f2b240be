"""The two temporal modules agree with the thesis' equations, worked in explicit loops, and cost as much as it says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from einops import rearrange
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from cascade.models.errors import CheckpointError
from cascade.models.families.first_adjacent.temporal_attention import (
    FirstAdjacentAttention,
    temporal_embedding,
)
from cascade.models.families.first_adjacent.temporal_convolution import (
    SingleTemporalConvolution,
    temporal_convolution,
)

GOLDEN = Path(__file__).parents[2] / "golden" / "first_adjacent_modules"
CONFIG = json.loads((GOLDEN / "config.json").read_text())
FRAMES, HEIGHT, WIDTH = CONFIG["frames"], CONFIG["height"], CONFIG["width"]
TOLERANCE = 1e-6


def weights(module: str) -> dict[str, Tensor]:
    stored = load_file(GOLDEN / "weights.safetensors")
    return {
        name.removeprefix(f"{module}."): tensor
        for name, tensor in stored.items()
        if name.startswith(f"{module}.")
    }


def golden(name: str) -> Tensor:
    file = "inputs" if name.endswith("_x") else "outputs"
    return load_file(GOLDEN / f"{file}.safetensors")[name]


def relative_error(tensor: Tensor, expected: Tensor) -> float:
    return float((tensor.detach() - expected).abs().max() / expected.abs().max())


def attention() -> FirstAdjacentAttention:
    module = FirstAdjacentAttention(CONFIG["channels"], CONFIG["heads"])
    module.load_state_dict(weights("attention"))
    return module


def as_maps(tokens: Tensor) -> Tensor:
    """(batch·frames, pixels, channels) to (batch·frames, channels, height, width)."""
    return rearrange(tokens, "b (h w) c -> b c h w", h=HEIGHT, w=WIDTH)


def test_the_temporal_embedding_is_that_of_the_equations() -> None:
    embedding = temporal_embedding(FRAMES, CONFIG["channels"])
    assert relative_error(embedding, golden("temporal_embedding")) < TOLERANCE


@pytest.mark.parametrize("learning", [False, True])
def test_first_adjacent_attention_is_that_of_the_equations(learning: bool) -> None:
    with torch.inference_mode(mode=not learning):
        mixed = attention()(as_maps(golden("attention_x")), FRAMES)
    assert relative_error(mixed, as_maps(golden("attention_y"))) < TOLERANCE


def test_one_convolution_is_that_of_the_equation() -> None:
    module = SingleTemporalConvolution(CONFIG["channels"])
    module.load_state_dict({f"conv.{name}": tensor for name, tensor in weights("conv").items()})
    video = golden("conv_x")  # b c f h w
    with torch.inference_mode():
        mixed = module(video.transpose(1, 2).flatten(0, 1), FRAMES)
    expected = golden("conv_y").transpose(1, 2).flatten(0, 1)
    assert relative_error(mixed, expected) < TOLERANCE


def test_a_single_frame_attends_to_itself() -> None:
    """Both keys are the frame's own: what is added is W_O W^V v_1, whatever the weights of the two."""
    module, video = attention(), torch.randn(1, CONFIG["channels"], HEIGHT, WIDTH)
    with torch.inference_mode():
        tokens = video.flatten(2).transpose(1, 2)
        values = module.to_v(module.norm(tokens) + temporal_embedding(1, CONFIG["channels"]))
        torch.testing.assert_close(module(video, 1), video + as_maps(module.to_out(values)))


def test_a_frame_sees_itself_the_frame_before_it_and_the_first_one() -> None:
    video = torch.randn(6, CONFIG["channels"], HEIGHT, WIDTH, requires_grad=True)
    mixed = attention()(video, 6)
    (gradient,) = torch.autograd.grad(mixed[4].square().sum(), video)
    seen = gradient.flatten(1).abs().sum(dim=1) > 0
    assert seen.tolist() == [True, False, False, True, True, False]


def test_pixels_see_their_own_place_alone() -> None:
    video = torch.randn(FRAMES, CONFIG["channels"], HEIGHT, WIDTH, requires_grad=True)
    mixed = attention()(video, FRAMES)
    (gradient,) = torch.autograd.grad(mixed[:, :, 1, 2].square().sum(), video)
    assert gradient.abs().sum(dim=(0, 1)).nonzero().tolist() == [[1, 2]]


class LargestTensor(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Remembers the size of the largest tensor that is made."""

    numel = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = function(*args, **(kwargs or {}))
        for tensor in made if isinstance(made, tuple | list) else (made,):
            if isinstance(tensor, Tensor):
                self.numel = max(self.numel, tensor.numel())
        return made


def test_no_matrix_of_frames_by_frames_is_made() -> None:
    """Narrow features in long clips: frames times frames times heads would be 32 times as large as the features."""
    frames, channels = 256, 8
    module = FirstAdjacentAttention(channels, heads=1)
    video = torch.randn(frames, channels, 2, 2, requires_grad=True)
    with LargestTensor() as largest:  # type: ignore[no-untyped-call]
        module(video, frames).sum().backward()
    assert largest.numel <= video.numel()


@pytest.mark.parametrize("module", [FirstAdjacentAttention(32, 4), SingleTemporalConvolution(32)])
def test_a_new_module_is_the_identity(module: nn.Module) -> None:
    video = torch.randn(2 * 4, 32, 3, 3)
    assert torch.equal(module(video, 4), video)


@pytest.mark.parametrize("convolutions", [0, 2, 5])
def test_other_numbers_of_convolutions_are_refused(convolutions: int) -> None:
    with pytest.raises(CheckpointError, match=f"temporal_convolutions = {convolutions} is not 4 .* or 1"):
        temporal_convolution(32, 8, convolutions)
