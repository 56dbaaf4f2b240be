"""Execution settings of a stage: device, precision and memory. None of them changes which video comes out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

DType = Literal["auto", "float32", "float16", "bfloat16"]
Offload = Literal["none", "model", "group"]
Attention = Literal["auto", "flash", "efficient", "cudnn", "math"]
TextDevice = Literal["same", "cpu"]


@dataclass(frozen=True)
class Execution:
    """Attributes:
    device: `auto` takes cuda where there is one, else cpu.
    dtype: precision of the networks; `auto` is bfloat16 on cuda and float32 on the CPU. Sampling itself
        (schedulers, noise) is always float32.
    offload: `model` keeps each network in main memory while it is idle; `group` moves layer by layer.
    vae_slicing: the VAE works frame by frame.
    vae_tiling: the VAE works on overlapping tiles of a frame.
    compile: compile the UNet at its first use.
    attention: the kernel of scaled dot-product attention; `auto` lets torch choose.
    text_device: where the text encoder runs.
    text_8bit: load the text encoder in 8 bits (needs bitsandbytes).
    """

    device: str = "auto"
    dtype: DType = "auto"
    offload: Offload = "none"
    vae_slicing: bool = True
    vae_tiling: bool = False
    compile: bool = False
    attention: Attention = "auto"
    text_device: TextDevice = "same"
    text_8bit: bool = False
