"""Outputs and embeddings as safetensors: what was packed comes back, what is damaged is refused."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save
from torch import Tensor

from cascade.models.clip import Clip, Latents, PromptEmbeddings
from cascade.workers.errors import ArtifactLost
from cascade.workers.storage.serialization import (
    pack_embeddings,
    pack_output,
    unpack_embeddings,
    unpack_output,
)

VALUES = torch.arange(24.0).reshape(1, 2, 3, 2, 2) / 24
CLIP_OF_VERSION_1 = bytes.fromhex(
    "80000000000000007b22667073223a7b226474797065223a22493634222c227368617065223a5b5d2c22646174615f6f666673657473"
    "223a5b302c385d7d2c226672616d6573223a7b226474797065223a22463332222c227368617065223a5b312c312c312c312c325d2c22"
    "646174615f6f666673657473223a5b382c31365d7d7d20202020202008000000000000000000003f000000bf"
)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_a_clip_comes_back_as_it_was(dtype: torch.dtype) -> None:
    clip = Clip(VALUES.to(dtype).transpose(3, 4), 8)
    back = unpack_output(pack_output(clip))
    assert isinstance(back, Clip)
    assert torch.equal(back.frames, clip.frames)
    assert (back.frames.dtype, back.fps) == (dtype, 8)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_latents_come_back_with_their_autoencoder(dtype: torch.dtype) -> None:
    latents = Latents(VALUES.to(dtype), 2, "kandinsky/movq")
    back = unpack_output(pack_output(latents))
    assert isinstance(back, Latents)
    assert torch.equal(back.latents, latents.latents)
    assert (back.latents.dtype, back.fps, back.autoencoder) == (dtype, 2, "kandinsky/movq")


def test_a_clip_of_version_1_is_read() -> None:
    back = unpack_output(CLIP_OF_VERSION_1)
    assert isinstance(back, Clip)
    assert (back.frames.flatten().tolist(), back.fps) == ([0.5, -0.5], 8)


@pytest.mark.parametrize(
    ("tensors", "metadata", "message"),
    [
        ({"latents": VALUES}, {"kind": "latents", "fps": "8"}, "autoencoder"),
        ({"latents": VALUES}, {"kind": "latents", "fps": "8", "autoencoder": ""}, "autoencoder"),
        ({"latents": VALUES}, {"kind": "latents", "fps": "eight", "autoencoder": "a"}, '"eight"'),
        ({"latents": VALUES}, {"kind": "latents", "fps": "0", "autoencoder": "a"}, '"0"'),
        ({"latents": VALUES}, {"kind": "latents", "autoencoder": "a"}, "frames per second"),
        ({"latents": VALUES}, {"kind": "clip", "fps": "8"}, "expected the tensors frames; found latents"),
        ({"latents": VALUES}, {"kind": "sound", "fps": "8"}, '"sound"'),
        ({"latents": VALUES}, {"fps": "8", "autoencoder": "a"}, '"None"'),
        ({"latents": VALUES}, None, '"None"'),
        (
            {"latents": VALUES[0]},
            {"kind": "latents", "fps": "8", "autoencoder": "a"},
            "expected a float tensor",
        ),
        (
            {"frames": VALUES, "x": VALUES.clone()},
            {"kind": "clip", "fps": "8"},
            "expected the tensors frames; found",
        ),
        ({"frames": VALUES.int()}, {"kind": "clip", "fps": "8"}, "expected a float tensor"),
    ],
)
def test_damaged_metadata_or_tensors_are_refused(
    tensors: dict[str, Tensor], metadata: dict[str, str] | None, message: str
) -> None:
    with pytest.raises(ArtifactLost, match=message):
        unpack_output(save(tensors, metadata))


def test_embeddings_come_back_and_are_no_output() -> None:
    embeddings = PromptEmbeddings(torch.ones(1, 2, 3), torch.zeros(1, 2, 3))
    packed = pack_embeddings(embeddings)
    back = unpack_embeddings(packed)
    assert torch.equal(back.prompt, embeddings.prompt)
    assert torch.equal(back.negative, embeddings.negative)
    for content in (packed, b"not safetensors", b""):
        with pytest.raises(ArtifactLost):
            unpack_output(content)
    with pytest.raises(ArtifactLost):
        unpack_embeddings(pack_output(Clip(VALUES, 8)))
