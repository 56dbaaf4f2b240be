"""The networks that measure clips: the published ones where their weights are at hand, else small ones of a family.

A folder of published networks holds any of these, as their authors publish them:

    i3d.pt        I3D (Kinetics-400) as TorchScript, for FVD: `(clips, rescale, resize, return_features)`
    inception.pt  Inception-v3 (ImageNet) as TorchScript, for FID-vid and Inception Score:
                  `(images, return_features, no_output_bias)`
    vgg16.pt      VGG-16 as TorchScript, for LPIPS: `(images, resize_images, return_lpips)`
    clip/         CLIP in the transformers layout, for CLIPSIM and frame consistency

TorchScript is code: take such files from where you would take a program.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import CLIPModel, CLIPProcessor

from cascade.models.errors import ModelError
from cascade.models.families.registry import offered

CPU = torch.device("cpu")
I3D_SIZE = (224, 224)
I3D_FRAMES = 16
"""Frames of a clip for I3D by FVD's protocol (Unterthiner et al., 2018); it cannot take fewer than nine."""
SPREAD = 8
"""Frames of a clip for the networks of single pictures."""
SMALLEST_VGG_SIDE = 64


@dataclass(frozen=True)
class ClipMeasurements:
    """Measurements of one clip.

    Attributes:
        clip: features for FVD, (d,).
        frames: features for FID-vid, (SPREAD, d).
        classes: mean probabilities for the Inception Score, (classes,).
        certainty: for the Inception Score, the mean of sum p log p: minus the entropy, at most 0.
        similarity: of clip and prompt: CLIPSIM (Wu et al., 2021), the mean over the frames of the cosine similarity.
        consistency: mean cosine similarity of neighbouring frames' features.
    """

    clip: Tensor
    frames: Tensor
    classes: Tensor
    certainty: float
    similarity: float
    consistency: float


class SmallFeatureNetworks(Protocol):
    """A family's small networks (`Family.feature_networks`), for clips (frames, 3, height, width) in [-1, 1].

    Attributes:
        description: names the networks in a report.
        scope: says what their figures can be compared with.
    """

    description: str
    scope: str

    def clip_features(self, frames: Tensor) -> Tensor:
        """Extract features (d,) of a whole clip (frames, 3, height, width)."""
        ...

    def frame_features(self, frames: Tensor) -> Tensor:
        """Extract features (frames, d) of the frames of a clip (frames, 3, height, width)."""
        ...

    def compare(self, frames: Tensor, prompt: str) -> tuple[Tensor, float]:
        """Return features (frames, d), and the similarity of a clip (frames, 3, height, width) and a prompt."""
        ...

    def class_probabilities(self, frames: Tensor) -> Tensor:
        """Classify a clip (frames, 3, height, width): probabilities (n, classes)."""
        ...

    def perceptual_distance(self, first: Tensor, second: Tensor) -> float:
        """Compare two clips (frames, 3, height, width); 0 if equal."""
        ...


def small_networks() -> SmallFeatureNetworks:
    """Return the small networks of the first family that has some."""
    kind: type[SmallFeatureNetworks] = next(iter(offered("feature_networks").values()))
    return kind()


@dataclass(frozen=True)
class FeatureNetworks:
    """The published networks that are at hand; where one is None, the small ones take its part."""

    i3d: Any = None
    inception: Any = None
    vgg16: Any = None
    clip: ClipSimilarity | None = None
    device: torch.device = CPU
    small: SmallFeatureNetworks = field(default_factory=small_networks)

    @classmethod
    def load(cls, folder: Path | None, device: torch.device = CPU) -> FeatureNetworks:
        """Load the networks of a folder; None takes the small ones. Raises ModelError where the folder holds none."""
        if folder is None:
            return cls()
        names = ("i3d", "inception", "vgg16")
        scripts = {name: folder / f"{name}.pt" for name in names}
        loaded = {
            name: torch.jit.load(str(file), map_location=device).eval()  # type: ignore[no-untyped-call]
            for name, file in scripts.items()
            if file.is_file()
        }
        clip = ClipSimilarity.load(folder / "clip", device) if (folder / "clip").is_dir() else None
        if not loaded and clip is None:
            raise ModelError(f"{folder} holds none of i3d.pt, inception.pt, vgg16.pt, clip/")
        return cls(**loaded, clip=clip, device=device)

    @property
    def description(self) -> str:
        """Say which figures are by which network, in words for the report."""
        parts = {
            "FVD": self.i3d
            and f"I3D (of clips shorter than {I3D_FRAMES} frames, it is shown each frame several times)",
            "FID-vid and Inception Score": self.inception
            and f"ImageNet's Inception-v3 ({SPREAD} frames of each clip: this Inception Score is of frames, and not "
            "comparable with the paper's Table 1, for which, by convention, a C3D network fine-tuned on UCF-101 judges whole clips)",
            "LPIPS": self.vgg16 and "VGG-16",
            "text-video similarity and frame consistency": self.clip and "CLIP",
        }
        published = [f"{figures} by {network}" for figures, network in parts.items() if network]
        small = [figures for figures, network in parts.items() if not network]
        sentences = [f"{'; '.join(published)}, as given."] if published else []
        if small:
            sentences += [f"By {self.small.description}: {', '.join(small)}.", self.small.scope]
        return " ".join(sentences)

    @torch.inference_mode()
    def measure(self, frames: Tensor, prompt: str) -> ClipMeasurements:
        """Measure a clip (frames, 3, height, width) in [-1, 1] that was prompted with `prompt`."""
        small = self.small
        spread = frames[torch.linspace(0, len(frames) - 1, SPREAD).round().long()]
        per_frame, similarity = (self.clip or small).compare(frames, prompt)
        classes = small.class_probabilities(frames) if self.inception is None else self._classes(spread)
        return ClipMeasurements(
            clip=small.clip_features(frames) if self.i3d is None else self._i3d(frames),
            frames=small.frame_features(spread) if self.inception is None else self._inception(spread),
            classes=classes.mean(dim=0),
            certainty=float(torch.xlogy(classes, classes).sum(dim=1).mean()),
            similarity=similarity,
            consistency=float(functional.cosine_similarity(per_frame[1:], per_frame[:-1], dim=-1).mean()),
        )

    @torch.inference_mode()
    def perceptual_distance(self, first: Tensor, second: Tensor) -> float:
        """Compute LPIPS (Zhang et al., 2018) of two clips (frames, 3, height, width) in [-1, 1].

        Returns:
            The mean over the frames, at least 0; 0 for equal clips.
        """
        if self.vgg16 is None:
            return self.small.perceptual_distance(first, second)
        features = [
            self.vgg16(_bytes(_enlarge(clip)).to(self.device), resize_images=False, return_lpips=True)
            for clip in (first, second)
        ]
        return float((features[0] - features[1]).square().sum(dim=1).mean())

    def _i3d(self, frames: Tensor) -> Tensor:
        """Extract features (d,) of (frames, 3, height, width); each frame of a clip below I3D_FRAMES is repeated."""
        resized = functional.interpolate(frames, I3D_SIZE, mode="bilinear", align_corners=False)
        repeated = resized.repeat_interleave(math.ceil(I3D_FRAMES / len(frames)), dim=0)
        clip = repeated.transpose(0, 1)[None].to(self.device)
        features: Tensor = self.i3d(clip, rescale=False, resize=False, return_features=True)[0]
        return features.cpu()

    def _inception(self, frames: Tensor) -> Tensor:
        """Extract features (frames, d) of (frames, 3, height, width)."""
        features: Tensor = self.inception(_bytes(frames).to(self.device), return_features=True)
        return features.cpu()

    def _classes(self, frames: Tensor) -> Tensor:
        """Classify (frames, 3, height, width), without the bias of the last layer, as the first Inception Score did."""
        images = _bytes(frames).to(self.device)
        classes: Tensor = self.inception(images, return_features=False, no_output_bias=True)
        return classes.cpu()


@dataclass(frozen=True)
class ClipSimilarity:
    """CLIP, from a folder in the transformers layout."""

    model: Any
    processor: Any

    @classmethod
    def load(cls, folder: Path, device: torch.device) -> ClipSimilarity:
        model = CLIPModel.from_pretrained(folder, use_safetensors=True).to(device).eval()
        return cls(model, CLIPProcessor.from_pretrained(folder, backend="pil"))

    def compare(self, frames: Tensor, prompt: str) -> tuple[Tensor, float]:
        """Return unit vectors (frames, d), and the mean of their cosine similarity with the prompt."""
        pictures = list(_bytes(frames).byte().permute(0, 2, 3, 1).cpu().numpy())
        images = self.processor(images=pictures, return_tensors="pt").to(self.model.device)
        words = self.processor(text=[prompt], return_tensors="pt", padding=True, truncation=True)
        image_features = _unit(self.model.get_image_features(**images))
        text_features = _unit(self.model.get_text_features(**words.to(self.model.device)))
        return image_features, float((image_features @ text_features[0]).mean())


def _unit(features: Any) -> Tensor:
    """Normalise features (count, d), which transformers returns as a tensor or within an output."""
    tensor = features if isinstance(features, Tensor) else features.pooler_output
    return functional.normalize(tensor.float(), dim=-1)


def _bytes(frames: Tensor) -> Tensor:
    """Scale pixels (frames, 3, height, width) in [-1, 1] to whole numbers 0 to 255, float."""
    return ((frames.clamp(-1, 1) + 1) * 127.5).round()


def _enlarge(frames: Tensor) -> Tensor:
    """Enlarge small frames (frames, 3, height, width): VGG-16 halves them five times."""
    factor = max(1, -(-SMALLEST_VGG_SIDE // min(frames.shape[-2:])))
    return nn.functional.interpolate(frames, scale_factor=factor, mode="nearest") if factor > 1 else frames
