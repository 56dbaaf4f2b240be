"""Motion customisation: the temporal attention of the keyframes UNet, fine-tuned on one video, as a small adapter for single
requests (Show-1, section 3.7)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from cascade.models.errors import MotionMisfit


def is_motion(parameter_name: str) -> bool:
    """Return whether a parameter of a video UNet belongs to its temporal attention."""
    return "temp_attentions" in parameter_name.split(".")


def motion_of(unet: nn.Module) -> dict[str, Tensor]:
    """Copy the network's temporal attention as an adapter: tensors by name in half precision, on the CPU."""
    return {
        name: parameter.detach().to("cpu", torch.float16, copy=True)
        for name, parameter in unet.named_parameters()
        if is_motion(name)
    }


def pack_motion(motion: Mapping[str, Tensor]) -> bytes:
    """Serialise an adapter as safetensors."""
    return save(dict(motion))


def unpack_motion(content: bytes) -> dict[str, Tensor]:
    """Read an adapter. Raises MotionMisfit if these are not an adapter's bytes."""
    try:
        motion: dict[str, Tensor] = load(content)
    except SafetensorError as error:
        raise MotionMisfit(f"the motion is no safetensors file: {error}") from error
    if not motion or not all(is_motion(name) for name in motion):
        raise MotionMisfit("the file holds other tensors than temporal attention; it is no motion")
    return motion


@contextmanager
def with_motion(unet: nn.Module, motion: Mapping[str, Tensor] | None) -> Iterator[None]:
    """Run the network with an adapter's temporal attention; afterwards it is what it was, to the bit.

    Raises:
        MotionMisfit: the adapter's tensors are not those of this network.
    """
    if motion is None:
        yield
        return
    own = {name: parameter for name, parameter in unet.named_parameters() if is_motion(name)}
    shapes = {name: tensor.shape for name, tensor in motion.items()}
    if shapes != {name: parameter.shape for name, parameter in own.items()}:
        raise MotionMisfit("the motion was made for another network")
    originals = {name: parameter.data for name, parameter in own.items()}
    try:
        for name, parameter in own.items():
            parameter.data = motion[name].to(parameter.device, parameter.dtype)
        yield
    finally:
        for name, parameter in own.items():
            parameter.data = originals[name]
