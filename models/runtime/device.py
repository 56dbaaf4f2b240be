"""Devices, precision, offloading and usage: the torch side of `Execution`."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from diffusers.hooks import apply_group_offloading
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from cascade.models.errors import DeviceError
from cascade.models.runtime.execution import Execution

Network = TypeVar("Network", bound=nn.Module)

KERNELS = {
    "flash": SDPBackend.FLASH_ATTENTION,
    "efficient": SDPBackend.EFFICIENT_ATTENTION,
    "cudnn": SDPBackend.CUDNN_ATTENTION,
    "math": SDPBackend.MATH,
}


def resolve_device(execution: Execution) -> torch.device:
    """Return the device; `auto` is cuda where there is one, else the CPU. Raises DeviceError where it is not there."""
    if execution.device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(execution.device)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, ImportError) as error:
        reason = str(error).splitlines()[0]
        raise DeviceError(f'device "{execution.device}" cannot be used on this machine: {reason}') from error
    return device


def resolve_dtype(execution: Execution) -> torch.dtype:
    """Return the precision; `auto` is bfloat16 on cuda and float32 on the CPU."""
    if execution.dtype == "auto":
        return torch.bfloat16 if resolve_device(execution).type == "cuda" else torch.float32
    dtype: torch.dtype = getattr(torch, execution.dtype)
    return dtype


def place(network: Network, execution: Execution) -> Network:
    """Put a network where and how `execution` says, ready for inference; see also `resident`."""
    device = resolve_device(execution)
    network.eval().requires_grad_(False)
    if execution.offload == "model":
        return network
    if execution.offload == "group":
        apply_group_offloading(
            network, onload_device=device, offload_device=torch.device("cpu"), offload_type="leaf_level"
        )
        return network
    return network.to(device)


@contextmanager
def resident(network: nn.Module, execution: Execution) -> Iterator[None]:
    """Have an offloaded network on its device while it is used, and only then."""
    if execution.offload != "model":
        yield
        return
    network.to(resolve_device(execution))
    try:
        yield
    finally:  # a cancelled stage ends by an exception, and must not keep the device's memory
        network.to("cpu")


def text_execution(execution: Execution) -> Execution:
    """Return the settings of the text encoder of a stage that runs by `execution`."""
    if execution.text_device == "cpu":
        return replace(execution, device="cpu", dtype="float32", offload="none")
    if execution.text_8bit:
        return replace(execution, offload="none")  # 8-bit weights stay on the device they were packed for
    return execution


@contextmanager
def attention_kernel(execution: Execution) -> Iterator[None]:
    """Choose the attention kernel of what runs inside."""
    if execution.attention == "auto":
        yield
        return
    with sdpa_kernel(KERNELS[execution.attention]):
        yield


@dataclass
class Usage:
    """Seconds on the device, and peak memory in bytes (of the process on a CPU, of torch on cuda)."""

    gpu_s: float = 0.0
    peak_memory_bytes: int = 0


@contextmanager
def measure_usage(execution: Execution) -> Iterator[Usage]:
    """Measure what runs inside; the figures are there when the block has ended."""
    usage = Usage()
    cuda = resolve_device(execution).type == "cuda"
    if cuda:
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
    start = time.monotonic()
    yield usage
    if cuda:
        torch.cuda.synchronize()
        usage.peak_memory_bytes = torch.cuda.max_memory_allocated()
    else:
        usage.peak_memory_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    usage.gpu_s = time.monotonic() - start
