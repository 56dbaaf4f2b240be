"""The text-video network in the place of I3D, Inception, VGG and CLIP, where their weights are not given."""

from __future__ import annotations

from functools import cached_property

from torch import Tensor, nn
from torch.nn import functional

from cascade.models.families.shapes.moving_shapes import COLOURS, SHAPES
from cascade.models.families.shapes.text_video import TextVideoNetwork, load_text_video

CLASSES = tuple(f"a {colour} {shape}" for colour in COLOURS for shape in SHAPES)


class SmallNetworks:
    """Takes clips (frames, 3, height, width) in [-1, 1]."""

    @cached_property
    def network(self) -> TextVideoNetwork:
        return load_text_video()

    def clip(self, frames: Tensor) -> Tensor:
        """Features of the whole clip, (128,)."""
        return self.network.clip_features(frames[None])[0]

    def frames(self, frames: Tensor) -> Tensor:
        """Features of each frame, (frames, 128)."""
        return self.network.frame_features(frames)

    def look(self, frames: Tensor, prompt: str) -> tuple[Tensor, float]:
        """Features of each frame, (frames, 128), and the cosine similarity of clip and prompt."""
        return self.frames(frames), float(self.network.similarity(frames[None], prompt)[0])

    def classes(self, frames: Tensor) -> Tensor:
        """How probable each colour and shape is, by similarity with its caption: (1, classes)."""
        embedding = self.network.embed_clips(frames[None])
        logits = embedding @ self.network.embed_captions(CLASSES).T
        return (logits / self.network.log_temperature.exp().clamp(min=0.01)).softmax(dim=-1)

    def perceptual_distance(self, first: Tensor, second: Tensor) -> float:
        """As LPIPS, without its learned weights: squared distance of unit feature vectors, mean over places, summed
        over the three convolutional layers."""
        total = 0.0
        for layer in self.network.frame:
            if isinstance(layer, nn.Flatten):
                break
            first, second = layer(first), layer(second)
            if isinstance(layer, nn.GELU):
                apart = functional.normalize(first, dim=1) - functional.normalize(second, dim=1)
                total += float(apart.square().sum(dim=1).mean())
        return total
