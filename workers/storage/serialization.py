"""Hand-off: clips and prompt embeddings as safetensors, from one stage's worker to the next."""

from __future__ import annotations

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from cascade.models.clip import Clip, PromptEmbeddings
from cascade.workers.errors import ArtifactLost


def pack_clip(clip: Clip) -> bytes:
    return save({"frames": clip.frames.contiguous(), "fps": torch.tensor(clip.fps)})


def unpack_clip(content: bytes) -> Clip:
    """Raises ArtifactLost if these are not a clip's bytes."""
    tensors = _load(content, "frames", "fps")
    return Clip(tensors["frames"], int(tensors["fps"]))


def pack_embeddings(embeddings: PromptEmbeddings) -> bytes:
    return save({"prompt": embeddings.prompt.contiguous(), "negative": embeddings.negative.contiguous()})


def unpack_embeddings(content: bytes) -> PromptEmbeddings:
    """Raises ArtifactLost if these are not prompt embeddings' bytes."""
    tensors = _load(content, "prompt", "negative")
    return PromptEmbeddings(prompt=tensors["prompt"], negative=tensors["negative"])


def _load(content: bytes, *names: str) -> dict[str, Tensor]:
    try:
        tensors: dict[str, Tensor] = load(content)
    except SafetensorError as error:
        raise ArtifactLost(f"not safetensors: {error}") from error
    if tensors.keys() != set(names):
        raise ArtifactLost(f"expected the tensors {', '.join(names)}; found {', '.join(tensors)}")
    return tensors
