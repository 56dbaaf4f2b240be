"""Loading checkpoints in the diffusers layout, from a directory or from the hub.

    model_index.json  unet/config.json  unet/*.safetensors  scheduler/scheduler_config.json
    text_encoder/  tokenizer/  vae/  image_noising_scheduler/

Weights are safetensors; where a published part has none, PyTorch's own format is read with `weights_only`, which
takes tensors and nothing else.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from diffusers import AutoencoderKL, AutoencoderKLCogVideoX, DiffusionPipeline, UNet2DConditionModel
from torch import Tensor, nn
from transformers import BitsAndBytesConfig, CLIPTextModel, T5EncoderModel
from transformers.utils import logging as transformers_logging

from cascade.models.checkpoints import hub
from cascade.models.checkpoints.files import SHIPPED, empty_network
from cascade.models.checkpoints.library import (
    load_network,
    load_scheduler,
    load_tokenizer,
    misfits,
    refuse_misfits,
)
from cascade.models.checkpoints.network import CheckpointNetwork, own_names
from cascade.models.checkpoints.parts import find_part, part_title
from cascade.models.checkpoints.pipelines import load_pipeline
from cascade.models.checkpoints.tensors import read_weights
from cascade.models.diffusion.schedules import Scheduler
from cascade.models.errors import CheckpointError
from cascade.models.runtime.attention import avoid_kernel, check_attention
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


@dataclass
class Checkpoints:
    """Finds checkpoints by name and loads their parts.

    A name such as `shapes/keyframes` is a directory below `folder` if there is one, else one that is shipped with
    the project, else a hub repository, of which the parts are downloaded that are loaded.
    All methods raise CheckpointError, which names what is missing or misfits and where it was looked for.
    """

    folder: Path
    _downloaded: dict[tuple[str, tuple[str, ...] | None], Path] = field(default_factory=dict, repr=False)

    def path(self, name: str, parts: tuple[str, ...] | None = None) -> Path:
        """The directory of a checkpoint; of the hub's, with these parts in it (None: all that it lists)."""
        for folder in (self.folder, SHIPPED):
            local = folder / name
            if not local.resolve().is_relative_to(folder.resolve()):
                raise CheckpointError(f'checkpoint name "{name}" leads out of {folder}')
            if local.is_dir():
                return local
        if (name, parts) not in self._downloaded:
            try:
                self._downloaded[name, parts] = hub.download(name, parts)
            except CheckpointError as error:
                raise CheckpointError(
                    f'checkpoint "{name}" is neither the directory {self.folder / name}, nor shipped with the '
                    f"project, nor to be had from the hub: {error}"
                ) from error
        return self._downloaded[name, parts]

    def available(self, name: str) -> bool:
        """Return whether an optional checkpoint can be found; log a warning if not."""
        try:
            self.path(name, ())
        except CheckpointError as error:
            logger.warning("going on without an optional checkpoint: %s", error)
            return False
        return True

    def has(self, name: str, part: str) -> bool:
        """Return whether the checkpoint has the part, such as `vae`."""
        return (self.path(name, (part,)) / part).is_dir()

    def network(self, name: str, kind: type[NetworkT], execution: Execution, part: str = "unet") -> NetworkT:
        """One of the project's networks, in the precision and where `execution` says, ready for inference."""
        folder = self._part(name, part)
        network = empty_network(folder, kind)
        check_attention(network, execution, f'checkpoint "{name}"', pads=True)
        weights = own_names(kind, read_weights(folder))
        check_weights(network, weights, folder)
        network.load_state_dict(weights, strict=True, assign=True)
        network = place(network.to(resolve_dtype(execution)), execution)
        if execution.compile:
            network.compile()
        return network

    def image_unet(self, name: str, execution: Execution) -> UNet2DConditionModel:
        unet: UNet2DConditionModel = self._placed(UNet2DConditionModel, name, "unet", execution)
        check_attention(unet, execution, f'checkpoint "{name}"')
        return unet

    def vae(self, name: str, execution: Execution) -> AutoencoderKL:
        vae: AutoencoderKL = self._placed(AutoencoderKL, name, "vae", execution)
        avoid_kernel(vae, execution)
        if execution.vae_tiling:
            vae.enable_tiling()
        return vae

    def video_vae(self, name: str, execution: Execution) -> AutoencoderKLCogVideoX:
        """An autoencoder of whole clips, which compresses time too."""
        vae: AutoencoderKLCogVideoX = self._placed(AutoencoderKLCogVideoX, name, "vae", execution)
        if execution.vae_tiling:
            vae.enable_tiling()
        return vae

    def scheduler(self, name: str, part: str = "scheduler") -> Scheduler:
        """The diffusers scheduler that the checkpoint's `scheduler_config.json` names."""
        scheduler: Scheduler = load_scheduler(self._part(name, part), SCHEDULERS)
        return scheduler

    def pipeline(self, name: str, execution: Execution) -> DiffusionPipeline:
        """A pipeline of diffusers with its networks in the precision that `execution` says, on the CPU."""
        return load_pipeline(self.path(name), resolve_dtype(execution))

    def t5(self, name: str, execution: Execution, *, clean: bool = False) -> T5PromptEncoder:
        """T5, with IF's caption cleaning where `clean` says so."""
        execution = text_execution(execution)
        encoder = self._text(T5EncoderModel, name, execution)
        return T5PromptEncoder(self._tokenizer(name, encoder), encoder, execution, clean=clean)

    def clip(self, name: str, execution: Execution) -> ClipPromptEncoder:
        execution = text_execution(execution)
        encoder = self._text(CLIPTextModel, name, execution)
        return ClipPromptEncoder(self._tokenizer(name, encoder), encoder, execution)

    def _text(self, kind: Any, name: str, execution: Execution) -> Any:
        if not execution.text_8bit:
            return self._placed(kind, name, "text_encoder", execution)
        options = {
            "quantization_config": BitsAndBytesConfig(load_in_8bit=True),
            "device_map": {"": resolve_device(execution)},
        }
        folder = self._part(name, "text_encoder")
        return load_network(kind, folder, resolve_dtype(execution), **options)

    def _tokenizer(self, name: str, encoder: Any) -> Any:
        folder = self._part(name, "tokenizer")
        tokenizer = load_tokenizer(folder)
        if len(tokenizer) > encoder.config.vocab_size:
            raise CheckpointError(
                f"{folder} has {len(tokenizer)} tokens; the text encoder beside it knows {encoder.config.vocab_size}"
            )
        return tokenizer

    def _placed(self, kind: Any, name: str, part: str, execution: Execution) -> Any:
        return place(load_network(kind, self._part(name, part), resolve_dtype(execution)), execution)

    def _part(self, name: str, part: str) -> Path:
        checkpoint = self.path(name, (part,))
        found = find_part(checkpoint, part)
        if not found.exists():
            raise CheckpointError(f'checkpoint "{name}" has no {part_title(part)}: looked in {checkpoint}')
        return found


def check_weights(network: nn.Module, weights: dict[str, Tensor], source: Path) -> None:
    """Raises CheckpointError that names the first tensors that are missing, unexpected or of another shape."""
    refuse_misfits(misfits(network, {name: tuple(tensor.shape) for name, tensor in weights.items()}), source)
    packed = [
        name
        for name, own in network.state_dict().items()
        if own.is_floating_point() and not weights[name].is_floating_point()
    ]
    if packed:
        kind = str(weights[packed[0]].dtype).removeprefix("torch.")
        raise CheckpointError(f"{source}: {packed[0]} holds {kind}, not floating-point numbers")
