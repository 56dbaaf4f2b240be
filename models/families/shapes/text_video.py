"""A small network that scores how well a clip of moving shapes fits a caption, as CLIP does for pictures (Radford et al., 2021).

Trained by `text_video_training.py` on rendered clips; its weights are part of the project. It knows moving shapes and their
words, and nothing else.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import torch
from einops import rearrange
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

WEIGHTS = Path(__file__).parent.parent.parent / "weights" / "text_video.safetensors"
FRAMES, HEIGHT, WIDTH = 8, 20, 32
FEATURES, EMBEDDING = 128, 64

WORDS = (
    "a an the red green blue yellow purple orange cyan white black gray pink light circle square triangle "
    "cross moving going moves goes right left up down upwards downwards rising falling rises falls standing "
    "still stands at rest does not move growing shrinking grows shrinks getting gets bigger smaller is on "
    "background with and above below under to of beside small large"
)
VOCABULARY = {word: number for number, word in enumerate(WORDS.split(), start=2)}
"""Numbers of the words; 0 is padding, and 1 any other word."""
MAX_WORDS = 24


class TextVideoNetwork(nn.Module):
    """Embeds captions and clips of 8 frames of 32x20 pixels into one space of unit vectors."""

    def __init__(self) -> None:
        super().__init__()
        widths = (3, 32, 64, 64)
        self.frame = nn.Sequential(
            *(
                layer
                for before, after in itertools.pairwise(widths)
                for layer in (
                    nn.Conv2d(before, after, 3, stride=2, padding=1),
                    nn.GroupNorm(8, after),
                    nn.GELU(),
                )
            ),
            nn.Flatten(),
            nn.Linear(64 * 3 * 4, FEATURES),
            nn.GELU(),
        )
        self.time = nn.Sequential(nn.Flatten(), nn.Linear(FRAMES * FEATURES, FEATURES), nn.GELU())
        self.video_projection = nn.Linear(FEATURES, EMBEDDING)
        self.words = nn.Embedding(len(VOCABULARY) + 2, EMBEDDING, padding_idx=0)
        self.text_rnn = nn.GRU(EMBEDDING, FEATURES, batch_first=True)
        self.text_projection = nn.Linear(FEATURES, EMBEDDING)
        self.log_temperature = nn.Parameter(torch.tensor(0.07).log())

    def frame_features(self, frames: Tensor) -> Tensor:
        """Extract features (frames, 128) of frames (frames, 3, height, width) in [-1, 1], of any size."""
        if frames.shape[-2:] != (HEIGHT, WIDTH):
            frames = functional.interpolate(frames, size=(HEIGHT, WIDTH), mode="area")
        features: Tensor = self.frame(frames)
        return features

    def clip_features(self, clips: Tensor) -> Tensor:
        """Extract features (batch, 128) of clips (batch, frames, 3, height, width) in [-1, 1], sampled at 8 frames."""
        sampled = torch.linspace(0, clips.shape[1] - 1, FRAMES).round().long()
        frames = rearrange(clips[:, sampled], "b f c h w -> (b f) c h w")
        features: Tensor = self.time(rearrange(self.frame_features(frames), "(b f) d -> b f d", f=FRAMES))
        return features

    def embed_clips(self, clips: Tensor) -> Tensor:
        """Embed clips (batch, frames, 3, height, width) in [-1, 1] as unit vectors (batch, 64)."""
        return functional.normalize(self.video_projection(self.clip_features(clips)), dim=-1)

    def embed_captions(self, captions: Sequence[str]) -> Tensor:
        """Embed captions as unit vectors (batch, 64); all unknown words are one."""
        tokens = [
            [_token(word) for word in re.findall(r"[a-z]+", text.lower())][:MAX_WORDS] for text in captions
        ]
        lengths = torch.tensor([max(len(words), 1) for words in tokens])
        padded = torch.tensor([words + [0] * (MAX_WORDS - len(words)) for words in tokens])
        states, _ = self.text_rnn(self.words(padded.to(self.words.weight.device)))
        last = states[torch.arange(len(tokens)), lengths - 1]
        return functional.normalize(self.text_projection(last), dim=-1)

    def similarity(self, clips: Tensor, caption: str) -> Tensor:
        """Compare clips (batch, frames, 3, height, width) with a caption: cosine similarity (batch,), -1 to 1."""
        return self.embed_clips(clips) @ self.embed_captions([caption])[0]


@lru_cache(maxsize=1)
def load_text_video() -> TextVideoNetwork:
    """Load the trained network, on the CPU."""
    network = TextVideoNetwork()
    weights = {_weight_name(name): tensor.float() for name, tensor in load_file(WEIGHTS).items()}
    network.load_state_dict(weights)
    return network.eval().requires_grad_(False)


def _token(word: str) -> int:
    return VOCABULARY.get(word, 1)


def _weight_name(name: str) -> str:
    """Map the names of the first weights, where the recurrent network was called `reader`."""
    return f"text_rnn.{name.removeprefix('reader.')}" if name.startswith("reader.") else name
