"""Checks of what runs the networks: torch and its device, the video encoders, and the weights. Imports torch when called."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from cascade.models.errors import DeviceError
from cascade.models.presets.table import get_preset
from cascade.service.doctor.finding import Finding, note, ok, wrong
from cascade.workers.settings import Settings

NVIDIA = Path("/proc/driver/nvidia/version")
INSTALL_WORKER = "pip install --force-reinstall 'cascade[worker]'"


def check_torch(settings: Settings) -> Iterator[Finding]:
    """Check that torch can compute where the settings say, for each device of a stage."""
    try:
        import torch

        from cascade.models.runtime.device import resolve_device, resolve_dtype
    except (ImportError, OSError) as error:
        yield wrong("torch", f"cannot be imported: {error}", INSTALL_WORKER)
        return
    yield ok("torch", torch.__version__)
    stages = [(name, spec.name) for name in settings.presets for spec in get_preset(name).stages]
    for execution in dict.fromkeys(settings.execution(*stage) for stage in stages):
        remedy = "set CASCADE_DEVICE to another device, or install the torch that is built for it"
        try:
            device, dtype = resolve_device(execution), resolve_dtype(execution)
            ones = torch.ones(8, 8, device=device, dtype=dtype)
            right = bool(((ones @ ones) == 8).all())
        except (DeviceError, RuntimeError) as error:
            yield wrong("device", str(error), remedy)
            continue
        name = _device_name(device.type, device.index)
        if not right:
            yield wrong("device", f"{name} computes wrong numbers", remedy)
        elif device.type == "cpu" and execution.device == "auto" and NVIDIA.exists():
            text = "there is an NVIDIA GPU, but this torch cannot use it; the CPU would be taken"
            yield wrong("device", text, "install the CUDA build of torch, or set CASCADE_DEVICE=cpu")
        else:
            yield ok("device", f"{name}, {str(dtype).removeprefix('torch.')}")


def check_encoders() -> Finding:
    """Check, by writing two small frames in each format, that videos can be encoded."""
    try:
        import av
        import torch

        from cascade.models.media.video import ENCODERS
    except (ImportError, OSError) as error:
        return wrong("encoders", f"cannot be imported: {error}", INSTALL_WORKER)
    frames, faults = torch.zeros(2, 16, 16, 3, dtype=torch.uint8), []
    for ending, encode in ENCODERS.items():
        try:
            encode(frames, 8)
        except (ValueError, OSError) as error:  # FFmpegError is one or the other
            faults.append(f"{ending} cannot be written: {error}")
    if faults:
        return wrong("encoders", "; ".join(faults), INSTALL_WORKER)
    return ok("encoders", f"FFmpeg {av.ffmpeg_version_info} writes {', '.join(ENCODERS)}")


def check_weights(settings: Settings) -> Iterator[Finding]:
    """Check that the checkpoints of the presets on offer are here, whole and undamaged."""
    try:
        from cascade.models.checkpoints.files import SHIPPED, locate, verify
        from cascade.models.checkpoints.requirements import requirements
    except (ImportError, OSError) as error:
        yield wrong("weights", f"cannot be checked: {error}", INSTALL_WORKER)
        return
    for name in settings.presets:
        pull = f"cascade checkpoints pull {name}"
        for requirement in requirements(get_preset(name)):
            place = locate(settings.checkpoints_dir, requirement.name)
            text = f"{requirement.name} is not on this machine"
            if place is None and requirement.optional:
                yield note("weights", f"{text} (optional): {pull}")
            elif place is None:
                yield wrong("weights", text, pull)
            elif faults := verify(place, requirement):
                own = place.is_relative_to(SHIPPED)
                remedy = (
                    "install Cascade again: these weights are part of it"
                    if own
                    else f"remove {place}, then {pull}"
                )
                yield wrong("weights", f"{place}: {'; '.join(faults)}", remedy)
            else:
                yield ok("weights", f"{requirement.name}: whole and undamaged")


def _device_name(kind: str, index: int | None) -> str:
    if kind != "cuda":
        cores = len(os.sched_getaffinity(0))
        return f"{kind}, {cores} cores" if kind == "cpu" else kind
    import torch

    free_bytes, all_bytes = torch.cuda.mem_get_info(index)
    gib = 1 << 30
    return f"{torch.cuda.get_device_name(index)}, {free_bytes / gib:.0f} of {all_bytes / gib:.0f} GiB free"
