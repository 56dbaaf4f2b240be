"""Attention kernels: heads of any width run by the one that is chosen, or the setting is refused at start."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.models.attention_processor import AttnProcessor

from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.errors import ExecutionError
from cascade.models.families.registry import load_stage
from cascade.models.families.show1.latent_unet import LatentVideoUNet
from cascade.models.layers.attention import attend, plain_attention
from cascade.models.presets.shapes import SHAPES
from cascade.models.runtime.attention import avoid_kernel, head_widths
from cascade.models.runtime.device import attention_kernel
from cascade.models.runtime.execution import Execution

CPU = Execution(device="cpu")
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="these kernels run on cuda only")


def check_heads(width: int, execution: Execution, dtype: torch.dtype, tolerance: float) -> None:
    """Heads of a width attend as the formula says."""
    device = execution.device
    query, key, value = (torch.randn(2, 6, 3 * width, device=device, dtype=dtype) for _ in range(3))
    with torch.inference_mode():
        with attention_kernel(execution):
            fused = attend(query, key, value, 3)
        heads = (x.float().view(2, 6, 3, width).transpose(1, 2) for x in (query, key, value))
        plain = plain_attention(*heads).transpose(1, 2).flatten(2)
    torch.testing.assert_close(fused.float(), plain, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("width", [7, 8, 10, 15, 20, 64])
@pytest.mark.parametrize("attention", ["auto", "flash", "math"])
def test_heads_of_any_width_attend_alike_by_every_kernel(width: int, attention: Any) -> None:
    check_heads(width, replace(CPU, attention=attention), torch.float32, 1e-5)


@needs_cuda
@pytest.mark.parametrize("width", [10, 15, 20, 64])
@pytest.mark.parametrize("attention", ["flash", "efficient", "cudnn", "math"])
def test_heads_of_any_width_attend_alike_on_cuda(width: int, attention: Any) -> None:
    check_heads(width, Execution(device="cuda", attention=attention), torch.bfloat16, 2e-2)


@pytest.mark.parametrize("attention", ["efficient", "cudnn"])
def test_a_kernel_that_the_device_does_not_have_is_refused_by_name_at_start(
    attention: Any, shapes_checkpoints: Path
) -> None:
    execution = replace(CPU, attention=attention)
    for spec in SHAPES.stages:
        with pytest.raises(
            ExecutionError, match=rf'attention "{attention}" cannot run heads .* on cpu; choose auto'
        ):
            load_stage(spec, Checkpoints(shapes_checkpoints), execution)


def test_an_autoencoder_attends_without_a_kernel_that_cannot_run_its_head(shapes_checkpoints: Path) -> None:
    checkpoints, latents = Checkpoints(shapes_checkpoints), torch.randn(1, 8, 4, 4)
    name, execution = "shapes/expert-translation", replace(CPU, attention="cudnn")
    vae, other = checkpoints.vae(name, CPU), checkpoints.vae(name, CPU)
    avoid_kernel(other, execution)
    assert {type(processor) for processor in other.attn_processors.values()} == {AttnProcessor}
    with torch.inference_mode():
        expected = vae.decode(latents).sample
        with attention_kernel(execution):
            torch.testing.assert_close(other.decode(latents).sample, expected, rtol=1e-4, atol=1e-4)
            with pytest.raises(RuntimeError):
                vae.decode(latents)


def test_the_widths_of_all_heads_of_a_network_are_found(shapes_checkpoints: Path) -> None:
    network = Checkpoints(shapes_checkpoints).network("shapes/expert-translation", LatentVideoUNet, CPU)
    assert head_widths(network) == {16}
