"""Whether the chosen attention kernel can run a network's heads: asked when the network is loaded, not after minutes of work."""

from __future__ import annotations

import torch
from diffusers.models.attention_processor import AttnProcessor
from torch import nn
from torch.nn import functional

from cascade.models.errors import ExecutionError
from cascade.models.layers.attention import padded_width
from cascade.models.runtime.device import attention_kernel, resolve_device, resolve_dtype
from cascade.models.runtime.execution import Execution


def check_attention(network: nn.Module, execution: Execution, name: str, *, pads: bool = False) -> None:
    """Refuse a kernel that cannot run one of the network's head widths, on its device and in its precision.

    Args:
        pads: the network's layers fill heads up to the widths that kernels take, as those of this project do.
    Raises:
        ExecutionError: names the kernel, the head width and the setting.
    """
    for width in sorted(head_widths(network)):
        if not _runs(padded_width(width) if pads else width, execution):
            dtype = str(resolve_dtype(execution)).removeprefix("torch.")
            raise ExecutionError(
                f'attention "{execution.attention}" cannot run heads of width {width} of {name} in {dtype} on '
                f"{resolve_device(execution)}; choose auto or math (CASCADE_ATTENTION)"
            )


def avoid_kernel(network: nn.Module, execution: Execution) -> None:
    """Let the layers of a diffusers network whose heads the chosen kernel cannot run attend without any kernel.

    An autoencoder has one attention, with a single head as wide as its features.
    """
    for module in network.modules():
        width = _head_width(module)
        if width is not None and not _runs(width, execution):
            module.set_processor(AttnProcessor())  # type: ignore[operator]


def head_widths(network: nn.Module) -> set[int]:
    """Return the widths of all attention heads of a network."""
    return {width for module in network.modules() if (width := _head_width(module)) is not None}


def _head_width(module: nn.Module) -> int | None:
    query, heads = getattr(module, "to_q", None), getattr(module, "heads", None)
    return query.out_features // heads if isinstance(query, nn.Linear) and isinstance(heads, int) else None


def _runs(width: int, execution: Execution) -> bool:
    if execution.attention == "auto":
        return True
    probe = torch.zeros(1, 1, 8, width, device=resolve_device(execution), dtype=resolve_dtype(execution))
    try:
        with attention_kernel(execution), torch.inference_mode():
            functional.scaled_dot_product_attention(probe, probe, probe)
    except RuntimeError:
        return False
    return True
