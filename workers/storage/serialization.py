"""Outputs of stages and prompt embeddings as safetensors, from one stage's worker to the next."""

from __future__ import annotations

import json

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from cascade.models.clip import Clip, Latents, Output, PromptEmbeddings
from cascade.workers.errors import ArtifactLost

CLIP, LATENTS = "clip", "latents"


def pack_output(output: Output) -> bytes:
    """Serialise a clip or latents; the metadata say which, the frames per second, and the autoencoder of latents."""
    if isinstance(output, Clip):
        return save({"frames": output.frames.contiguous()}, {"kind": CLIP, "fps": str(output.fps)})
    metadata = {"kind": LATENTS, "fps": str(output.fps), "autoencoder": output.autoencoder}
    return save({"latents": output.latents.contiguous()}, metadata)


def unpack_output(content: bytes) -> Output:
    """Read a stage's output.

    Returns:
        A `Clip` or `Latents`, as it was packed: (batch, frames, channels, height, width).
    Raises:
        ArtifactLost: these are not the bytes of an output, or their metadata are damaged.
    """
    tensors, metadata = _load(content), _metadata(content)
    try:
        match metadata.get("kind"):
            case "clip":
                return Clip(_only(tensors, "frames"), _fps(metadata))
            case "latents":
                return Latents(_only(tensors, "latents"), _fps(metadata), _autoencoder(metadata))
            case None if tensors.keys() == {"frames", "fps"}:  # as version 1 of the job record wrote clips
                return Clip(tensors["frames"], int(tensors["fps"]))
            case kind:
                raise ArtifactLost(f'expected the output of a stage, a clip or latents; found "{kind}"')
    except ValueError as error:
        raise ArtifactLost(f"the stored output is damaged: {error}") from error


def pack_embeddings(embeddings: PromptEmbeddings) -> bytes:
    """Serialise the embeddings of a prompt and its negative prompt."""
    return save({"prompt": embeddings.prompt.contiguous(), "negative": embeddings.negative.contiguous()})


def unpack_embeddings(content: bytes) -> PromptEmbeddings:
    """Read prompt embeddings, each (1, tokens, features).

    Raises:
        ArtifactLost: these are not their bytes.
    """
    tensors = _load(content)
    _check_names(tensors, {"prompt", "negative"})
    return PromptEmbeddings(prompt=tensors["prompt"], negative=tensors["negative"])


def _load(content: bytes) -> dict[str, Tensor]:
    try:
        tensors: dict[str, Tensor] = load(content)
    except SafetensorError as error:
        raise ArtifactLost(f"not safetensors: {error}") from error
    return tensors


def _metadata(content: bytes) -> dict[str, str]:
    """Read the metadata of bytes that `_load` has accepted: safetensors itself reads them from files only."""
    length = int.from_bytes(content[:8], "little")
    metadata: dict[str, str] = json.loads(content[8 : 8 + length]).get("__metadata__", {})
    return metadata


def _only(tensors: dict[str, Tensor], name: str) -> Tensor:
    _check_names(tensors, {name})
    return tensors[name]


def _check_names(tensors: dict[str, Tensor], names: set[str]) -> None:
    if tensors.keys() != names:
        raise ArtifactLost(
            f"expected the tensors {', '.join(sorted(names))}; found {', '.join(sorted(tensors))}"
        )


def _fps(metadata: dict[str, str]) -> int:
    text = metadata.get("fps", "")
    if not text.isdecimal() or int(text) == 0:
        raise ValueError(f'"{text}" is no number of frames per second')
    return int(text)


def _autoencoder(metadata: dict[str, str]) -> str:
    if not metadata.get("autoencoder"):
        raise ValueError("latents without the name of their autoencoder")
    return metadata["autoencoder"]
