"""The text-video network in the place of I3D, Inception, VGG and CLIP, where their weights are not at hand."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from cascade.models.families.shapes.scene import COLOURS, SHAPES
from cascade.models.families.shapes.text_video import TextVideoNetwork, load_text_video

CLASSES = tuple(f"a {colour} {shape}" for colour in COLOURS for shape in SHAPES)


class SmallNetworks:
    """Measures clips (frames, 3, height, width) in [-1, 1], as `models.evaluation.feature_networks.SmallFeatureNetworks`."""

    description = "the project's own small network, trained on moving shapes"
    scope = "Figures by the small network compare cascades of moving shapes with each other, and with no published figure."

    @property
    def network(self) -> TextVideoNetwork:
        return load_text_video()

    def clip_features(self, frames: Tensor) -> Tensor:
        """Extract features (128,) of a whole clip (frames, 3, height, width)."""
        return self.network.clip_features(frames[None])[0]

    def frame_features(self, frames: Tensor) -> Tensor:
        """Extract features (frames, 128) of the frames of a clip (frames, 3, height, width)."""
        return self.network.frame_features(frames)

    def compare(self, frames: Tensor, prompt: str) -> tuple[Tensor, float]:
        """Return features (frames, 128), and the cosine similarity of clip (frames, 3, height, width) and prompt."""
        return self.frame_features(frames), float(self.network.similarity(frames[None], prompt)[0])

    def class_probabilities(self, frames: Tensor) -> Tensor:
        """Return probabilities (1, classes) of colour and shape, by similarity of (frames, 3, height, width) with captions."""
        embedding = self.network.embed_clips(frames[None])
        logits = embedding @ self.network.embed_captions(CLASSES).T
        return (logits / self.network.log_temperature.exp().clamp(min=0.01)).softmax(dim=-1)

    def perceptual_distance(self, first: Tensor, second: Tensor) -> float:
        """Compare clips (frames, 3, height, width) as LPIPS does (Zhang et al., 2018), without its learned weights.

        The squared distance of unit feature vectors, mean over places, summed over the three convolutional layers.
        """
        total = 0.0
        for layer in self.network.frame:
            if isinstance(layer, nn.Flatten):
                break
            first, second = layer(first), layer(second)
            if isinstance(layer, nn.GELU):
                difference = functional.normalize(first, dim=1) - functional.normalize(second, dim=1)
                total += float(difference.square().sum(dim=1).mean())
        return total
