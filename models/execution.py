"""How a stage runs on its machine: device, precision and the memory choices. None of it changes what is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

DType = Literal["auto", "float32", "float16", "bfloat16"]


@dataclass(frozen=True)
class Execution:
    """Attributes:
    device: `auto` takes cuda where there is one, else cpu.
    dtype: precision of the networks; `auto` is bfloat16 on cuda and float32 on the CPU. Sampling itself
        (schedulers, noise) is always float32.
    """

    device: str = "auto"
    dtype: DType = "auto"
