"""Loading checkpoints in the diffusers layout, from a directory or from the hub.

    model_index.json  unet/config.json  unet/*.safetensors  scheduler/scheduler_config.json
    text_encoder/  tokenizer/  vae/  image_noising_scheduler/

Weights are safetensors; where a published part has none, PyTorch's own format is read with `weights_only`, which
takes tensors and nothing else.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, TypeVar

import diffusers
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
from torch import Tensor, nn
from transformers import AutoTokenizer, BitsAndBytesConfig, CLIPTextModel, T5EncoderModel
from transformers.utils import logging as transformers_logging

from cascade.models.checkpoints.files import SHIPPED, hub_snapshot, misfits, read_json, read_weights
from cascade.models.checkpoints.network import CheckpointNetwork, own_names
from cascade.models.diffusion.schedules import Scheduler
from cascade.models.errors import CheckpointError
from cascade.models.runtime.device import place, resolve_device, resolve_dtype, text_execution
from cascade.models.runtime.execution import Execution
from cascade.models.text.encoders import ClipPromptEncoder, T5PromptEncoder

logger = logging.getLogger(__name__)

transformers_logging.disable_progress_bar()  # a stage shows its own

SCHEDULERS = (
    "DDIMScheduler",
    "DDPMScheduler",
    "DPMSolverMultistepScheduler",
    "EulerDiscreteScheduler",
    "PNDMScheduler",
    "UniPCMultistepScheduler",
)
NetworkT = TypeVar("NetworkT", bound=CheckpointNetwork)


class Checkpoints:
    """Finds checkpoints by name and loads their parts.

    A name such as `shapes/keyframes` is a directory below `folder` if there is one, else one that is shipped with
    the project, else a hub repository.
    All methods raise CheckpointError, which names what is missing or misfits and where it was looked for.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, name: str) -> Path:
        """The directory of a checkpoint, downloaded from the hub if need be."""
        for folder in (self.folder, SHIPPED):
            local = folder / name
            if not local.resolve().is_relative_to(folder.resolve()):
                raise CheckpointError(f'checkpoint name "{name}" leads out of {folder}')
            if local.is_dir():
                return local
        try:
            return hub_snapshot(name)
        except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
            raise CheckpointError(
                f'checkpoint "{name}" is neither the directory {self.folder / name}, nor shipped with the project, '
                f"nor to be had from the hub: {error}"
            ) from error

    def available(self, name: str) -> bool:
        """Return whether an optional checkpoint can be found; log a warning if not."""
        try:
            self.path(name)
        except CheckpointError as error:
            logger.warning("going on without an optional checkpoint: %s", error)
            return False
        return True

    def has(self, name: str, part: str) -> bool:
        """Return whether the checkpoint has the part, such as `vae`."""
        return (self.path(name) / part).is_dir()

    def network(self, name: str, kind: type[NetworkT], execution: Execution, part: str = "unet") -> NetworkT:
        """One of the project's networks, in the precision and where `execution` says, ready for inference."""
        folder = self._part(name, part)
        config = read_json(folder / "config.json")
        with torch.device("meta"):
            network = kind.from_config(config)
        weights = own_names(kind, read_weights(folder))
        check_weights(network, weights, folder)
        network.load_state_dict(weights, strict=True, assign=True)
        network = place(network.to(resolve_dtype(execution)), execution)
        if execution.compile:
            network.compile()
        return network

    def image_unet(self, name: str, execution: Execution) -> UNet2DConditionModel:
        return _pretrained(UNet2DConditionModel, self._part(name, "unet"), execution)

    def vae(self, name: str, execution: Execution) -> AutoencoderKL:
        vae = _pretrained(AutoencoderKL, self._part(name, "vae"), execution)
        if execution.vae_tiling:
            vae.enable_tiling()
        return vae

    def scheduler(self, name: str, part: str = "scheduler") -> Scheduler:
        """The diffusers scheduler that the checkpoint's `scheduler_config.json` names."""
        file = self._part(name, part) / "scheduler_config.json"
        config = read_json(file)
        kind = config.get("_class_name")
        if kind not in SCHEDULERS:
            raise CheckpointError(f'{file}: scheduler "{kind}" is not one of {", ".join(SCHEDULERS)}')
        scheduler: Scheduler = getattr(diffusers, kind).from_config(config)
        return scheduler

    def t5(self, name: str, execution: Execution, *, clean: bool = False) -> T5PromptEncoder:
        """T5, with IF's caption cleaning where `clean` says so."""
        execution = text_execution(execution)
        encoder = self._text(T5EncoderModel, name, execution)
        return T5PromptEncoder(self._tokenizer(name), encoder, execution, clean=clean)

    def clip(self, name: str, execution: Execution) -> ClipPromptEncoder:
        execution = text_execution(execution)
        encoder = self._text(CLIPTextModel, name, execution)
        return ClipPromptEncoder(self._tokenizer(name), encoder, execution)

    def _text(self, kind: Any, name: str, execution: Execution) -> Any:
        folder = self._part(name, "text_encoder")
        if not execution.text_8bit:
            return _pretrained(kind, folder, execution)
        options = {
            "quantization_config": BitsAndBytesConfig(load_in_8bit=True),
            "device_map": {"": resolve_device(execution)},
        }
        return _read(kind, folder, execution, **options).eval()

    def _tokenizer(self, name: str) -> Any:
        folder = self._part(name, "tokenizer")
        try:
            return AutoTokenizer.from_pretrained(folder)
        except (OSError, ValueError) as error:
            raise CheckpointError(f"{folder}: the tokenizer cannot be read: {error}") from error

    def _part(self, name: str, part: str) -> Path:
        folder = self.path(name) / part
        if not folder.is_dir():
            raise CheckpointError(f'checkpoint "{name}" has no {part}/: looked in {folder.parent}')
        return folder


def check_weights(network: nn.Module, weights: dict[str, Tensor], source: Path) -> None:
    """Raises CheckpointError that names the first tensors that are missing, unexpected or of another shape."""
    faults = misfits(network, {name: tuple(tensor.shape) for name, tensor in weights.items()})
    if faults:
        shown = "; ".join(faults[:5]) + (f"; and {len(faults) - 5} more" if len(faults) > 5 else "")
        raise CheckpointError(f"{source} does not fit its configuration: {shown}")


def _pretrained(kind: Any, folder: Path, execution: Execution) -> Any:
    return place(_read(kind, folder, execution), execution)


def _read(kind: Any, folder: Path, execution: Execution, **options: Any) -> Any:
    """Reads safetensors where there are any, else PyTorch's format by `weights_only`, which both libraries hold to."""
    files = [file.name for file in folder.glob("*") if file.suffix in (".safetensors", ".bin")]
    safe = any(name.endswith(".safetensors") for name in files)
    half_only = bool(files) and all(".fp16." in name for name in files)
    options |= {"use_safetensors": safe, "variant": "fp16" if half_only else None}
    try:
        return kind.from_pretrained(folder, dtype=resolve_dtype(execution), **options)
    except (OSError, ValueError, RuntimeError, ImportError) as error:
        raise CheckpointError(f"{folder}: {kind.__name__} cannot be loaded: {error}") from error
