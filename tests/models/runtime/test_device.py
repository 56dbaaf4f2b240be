"""Where and how networks run: devices, precision, offloading, attention kernels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import pytest
import torch
from torch import Tensor, nn

from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.clip import Clip
from cascade.models.families.registry import load_stage
from cascade.models.families.show1.latent_unet import LatentVideoUNet
from cascade.models.presets.shapes import SHAPES
from cascade.models.runtime.device import (
    attention_kernel,
    measure_usage,
    place,
    resident,
    resolve_device,
    resolve_dtype,
    text_execution,
)
from cascade.models.runtime.execution import Execution
from cascade.models.stage import StageInputs

CPU = Execution(device="cpu")
ELSEWHERE = Execution(device="meta", offload="model")
"""A device that every machine has beside the CPU; what is put there has no values."""


class Traveller(nn.Linear):
    """A layer that notes where it is put."""

    def __init__(self) -> None:
        super().__init__(2, 2)
        self.places: list[str] = []

    def to(self, *args: Any, **options: Any) -> Self:
        self.places.append(str(args[0]))
        return self


def test_an_offloaded_network_is_on_its_device_while_it_is_used() -> None:
    network = Traveller()
    with resident(network, ELSEWHERE):
        assert network.places == ["meta"]
    assert network.places == ["meta", "cpu"]


def test_an_offloaded_network_comes_back_from_a_fault() -> None:
    network = Traveller()
    with pytest.raises(RuntimeError, match="in the middle"), resident(network, ELSEWHERE):
        raise RuntimeError("in the middle")
    assert network.places == ["meta", "cpu"]


def test_moving_takes_the_weights_along() -> None:
    network = nn.Linear(2, 2)
    with pytest.raises(NotImplementedError, match="meta"), resident(network, ELSEWHERE):
        assert network.weight.device.type == "meta"
    assert network.weight.device.type == "meta"  # nothing comes back from there: it has no values


@pytest.mark.parametrize("offload", ["none", "group"])
def test_a_network_that_is_not_offloaded_as_a_whole_stays_where_it_is(offload: Any) -> None:
    network = Traveller()
    with resident(network, replace(ELSEWHERE, offload=offload)):
        pass
    assert network.places == []


def test_a_network_is_placed_on_its_device_unless_it_is_offloaded() -> None:
    assert place(nn.Linear(2, 2), Execution(device="meta")).weight.device.type == "meta"
    network = place(nn.Dropout().train(), CPU)
    assert not network.training
    layer = place(nn.Linear(2, 2), ELSEWHERE)
    assert layer.weight.device.type == "cpu"
    assert not layer.weight.requires_grad


def test_a_network_that_is_offloaded_layer_by_layer_computes_the_same() -> None:
    network, inputs = nn.Sequential(nn.Linear(4, 4), nn.GELU(), nn.Linear(4, 2)), torch.randn(3, 4)
    expected = network(inputs)
    offloaded = place(network, replace(CPU, offload="group"))
    assert torch.equal(offloaded(inputs), expected)


def test_auto_is_float32_on_the_cpu() -> None:
    assert resolve_device(CPU) == torch.device("cpu")
    assert resolve_dtype(CPU) == torch.float32
    assert resolve_dtype(replace(CPU, dtype="float16")) == torch.float16


def test_a_text_encoder_may_run_elsewhere_than_the_stage() -> None:
    stage = Execution(device="cuda", dtype="bfloat16", offload="model")
    assert text_execution(stage) is stage
    assert text_execution(replace(stage, text_device="cpu")) == Execution(
        device="cpu", dtype="float32", text_device="cpu"
    )
    # 8-bit weights stay on the device that they were packed for.
    eight_bits = replace(stage, text_8bit=True)
    assert text_execution(eight_bits) == replace(eight_bits, offload="none")


def enabled_kernels() -> set[str]:
    cuda: Any = torch.backends.cuda  # its flags hold for the CPU's kernels too
    kernels = {
        "flash": cuda.flash_sdp_enabled(),
        "efficient": cuda.mem_efficient_sdp_enabled(),
        "cudnn": cuda.cudnn_sdp_enabled(),
        "math": cuda.math_sdp_enabled(),
    }
    return {name for name, enabled in kernels.items() if enabled}


@pytest.mark.parametrize("kernel", ["flash", "efficient", "cudnn", "math"])
def test_only_the_chosen_attention_kernel_is_left(kernel: Any) -> None:
    before = enabled_kernels()
    with attention_kernel(replace(CPU, attention=kernel)):
        assert enabled_kernels() == {kernel}
    assert enabled_kernels() == before


def test_torch_chooses_the_attention_kernel_by_itself() -> None:
    before = enabled_kernels()
    assert len(before) > 1
    with attention_kernel(CPU):
        assert enabled_kernels() == before


def test_usage_is_seconds_and_bytes() -> None:
    with measure_usage(CPU) as usage:
        assert (usage.gpu_s, usage.peak_memory_bytes) == (0, 0)
        torch.randn(64, 64) @ torch.randn(64, 64)
    assert 0 < usage.gpu_s < 60
    assert usage.peak_memory_bytes > 1e7


def translate(folder: Path, execution: Execution) -> Tensor:
    """Run a last stage, an autoencoder and a network, on a clip of noise."""
    spec = SHAPES.resolve(size="128x80", steps={"expert-translation": 2})[-1]
    stage = load_stage(spec, Checkpoints(folder), execution)
    frames = torch.rand(1, 29, 3, 40, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    inputs = StageInputs(spec, "", "", stage.text.encode("a red circle", ""), (7,), Clip(frames, 8))
    clip = stage(inputs, lambda *_: None)
    assert isinstance(clip, Clip)
    return clip.frames


def test_half_precision_makes_nearly_the_same_frames(shapes_checkpoints: Path) -> None:
    plain = translate(shapes_checkpoints, CPU)
    half = translate(shapes_checkpoints, replace(CPU, dtype="bfloat16"))
    assert half.dtype == torch.float32
    assert 0 < (half - plain).abs().mean() < 0.05  # bfloat16 keeps 8 bits of a number


@pytest.mark.slow
@pytest.mark.timeout(900)  # a compiler runs for minutes where it shares its cores
def test_a_compiled_network_makes_the_same_frames(shapes_checkpoints: Path) -> None:
    checkpoints = Checkpoints(shapes_checkpoints)
    plain, compiled = (
        checkpoints.network("shapes/expert-translation", LatentVideoUNet, execution)
        for execution in (CPU, replace(CPU, compile=True))
    )
    inputs = (torch.randn(1, 8, 2, 8, 8), 500, torch.randn(1, 77, 64))
    with torch.inference_mode():
        torch.testing.assert_close(compiled(*inputs), plain(*inputs), rtol=1e-3, atol=1e-3)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] > 0
