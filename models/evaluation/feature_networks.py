"""The networks that judge clips: the published ones where their weights are given, else the project's small one.

A folder of given networks holds any of these, as their authors publish them:

    i3d.pt        I3D (Kinetics-400) as TorchScript, for FVD: `(clips, rescale, resize, return_features)`
    inception.pt  Inception-v3 (ImageNet) as TorchScript, for FID-vid and Inception Score:
                  `(images, return_features, no_output_bias)`
    vgg16.pt      VGG-16 as TorchScript, for LPIPS: `(images, resize_images, return_lpips)`
    clip/         CLIP in the transformers layout, for CLIPSIM and frame consistency

TorchScript is code: take such files from where you would take a program.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import CLIPModel, CLIPProcessor

from cascade.models.families.shapes.small_networks import SmallNetworks

CPU = torch.device("cpu")
I3D_SIZE = (224, 224)
I3D_FRAMES = 16
"""What FVD's protocol shows I3D; it cannot take fewer than nine."""
SPREAD = 8
"""Frames of a clip that the networks of single pictures look at."""
SMALLEST_VGG_SIDE = 64


@dataclass(frozen=True)
class Judged:
    """What the networks see in one clip.

    Attributes:
        clip: features for FVD, (d,).
        frames: features for FID-vid, (SPREAD, d).
        classes: mean probabilities for the Inception Score, (classes,).
        certainty: for the Inception Score, the mean of sum p log p: minus the entropy, at most 0.
        similarity: of clip and prompt: CLIPSIM, the mean over the frames of the cosine similarity.
        consistency: mean cosine similarity of neighbouring frames' features.
    """

    clip: Tensor
    frames: Tensor
    classes: Tensor
    certainty: float
    similarity: float
    consistency: float


@dataclass(frozen=True)
class FeatureNetworks:
    """Each network is the given one, or None: then the small one takes its part."""

    i3d: Any = None
    inception: Any = None
    vgg16: Any = None
    clip: ClipJudge | None = None
    device: torch.device = CPU

    @classmethod
    def load(cls, folder: Path | None, device: torch.device = CPU) -> FeatureNetworks:
        """Raises ValueError where the folder holds none of the networks."""
        if folder is None:
            return cls()
        names = ("i3d", "inception", "vgg16")
        scripts = {name: folder / f"{name}.pt" for name in names}
        found = {
            name: torch.jit.load(str(file), map_location=device).eval()
            for name, file in scripts.items()
            if file.is_file()
        }
        clip = ClipJudge.load(folder / "clip", device) if (folder / "clip").is_dir() else None
        if not found and clip is None:
            raise ValueError(f"{folder} holds none of i3d.pt, inception.pt, vgg16.pt, clip/")
        return cls(**found, clip=clip, device=device)

    @property
    def description(self) -> str:
        """Which figures are by which network, in words for the report."""
        parts = {
            "FVD": self.i3d
            and f"I3D (of clips shorter than {I3D_FRAMES} frames, it is shown each frame several times)",
            "FID-vid and Inception Score": self.inception
            and f"ImageNet's Inception-v3 ({SPREAD} frames of each clip: this Inception Score is of frames, and not "
            "comparable with the paper's Table 1, for which, by convention, a C3D network fine-tuned on UCF-101 judges whole clips)",
            "LPIPS": self.vgg16 and "VGG-16",
            "text-video similarity and frame consistency": self.clip and "CLIP",
        }
        given = [f"{figures} by {network}" for figures, network in parts.items() if network]
        small = [figures for figures, network in parts.items() if not network]
        said = f"{'; '.join(given)}, as given. " if given else ""
        if small:
            said += (
                f"By the project's own small network, trained on moving shapes: {', '.join(small)}. Figures by the small "
                "network compare cascades of moving shapes with each other, and with no published figure."
            )
        return said.strip()

    @torch.inference_mode()
    def judge(self, frames: Tensor, prompt: str) -> Judged:
        """A clip (frames, 3, height, width) in [-1, 1]."""
        small = SmallNetworks()
        spread = frames[torch.linspace(0, len(frames) - 1, SPREAD).round().long()]
        per_frame, similarity = (self.clip or small).look(frames, prompt)
        classes = small.classes(frames) if self.inception is None else self._classes(spread)
        return Judged(
            clip=small.clip(frames) if self.i3d is None else self._i3d(frames),
            frames=small.frames(spread) if self.inception is None else self._inception(spread),
            classes=classes.mean(dim=0),
            certainty=float(torch.xlogy(classes, classes).sum(dim=1).mean()),
            similarity=similarity,
            consistency=float(functional.cosine_similarity(per_frame[1:], per_frame[:-1], dim=-1).mean()),
        )

    @torch.inference_mode()
    def perceptual_distance(self, first: Tensor, second: Tensor) -> float:
        """LPIPS (Zhang et al., 2018) of two clips (frames, 3, height, width) in [-1, 1], mean over the frames; 0 if equal."""
        if self.vgg16 is None:
            return SmallNetworks().perceptual_distance(first, second)
        features = [
            self.vgg16(_bytes(_enlarged(clip)).to(self.device), resize_images=False, return_lpips=True)
            for clip in (first, second)
        ]
        return float((features[0] - features[1]).square().sum(dim=1).mean())

    def _i3d(self, frames: Tensor) -> Tensor:
        """Each frame of a clip shorter than I3D_FRAMES is repeated until it is no shorter."""
        resized = functional.interpolate(frames, I3D_SIZE, mode="bilinear", align_corners=False)
        repeated = resized.repeat_interleave(math.ceil(I3D_FRAMES / len(frames)), dim=0)
        clip = repeated.transpose(0, 1)[None].to(self.device)
        return self.i3d(clip, rescale=False, resize=False, return_features=True)[0].cpu()

    def _inception(self, frames: Tensor) -> Tensor:
        return self.inception(_bytes(frames).to(self.device), return_features=True).cpu()

    def _classes(self, frames: Tensor) -> Tensor:
        """Without the bias of the last layer, as in the first implementation of the Inception Score."""
        images = _bytes(frames).to(self.device)
        return self.inception(images, return_features=False, no_output_bias=True).cpu()


@dataclass(frozen=True)
class ClipJudge:
    """CLIP, from a folder in the transformers layout."""

    model: Any
    processor: Any

    @classmethod
    def load(cls, folder: Path, device: torch.device) -> ClipJudge:
        model = CLIPModel.from_pretrained(folder, use_safetensors=True).to(device).eval()
        return cls(model, CLIPProcessor.from_pretrained(folder, backend="pil"))

    def look(self, frames: Tensor, prompt: str) -> tuple[Tensor, float]:
        """Unit vectors (frames, d), and the mean of their cosine similarity with the prompt."""
        pictures = list(_bytes(frames).byte().permute(0, 2, 3, 1).cpu().numpy())
        images = self.processor(images=pictures, return_tensors="pt").to(self.model.device)
        words = self.processor(text=[prompt], return_tensors="pt", padding=True, truncation=True)
        seen = _unit(self.model.get_image_features(**images))
        read = _unit(self.model.get_text_features(**words.to(self.model.device)))
        return seen, float((seen @ read[0]).mean())


def _unit(features: Any) -> Tensor:
    """transformers gives a tensor, or an output that holds it."""
    tensor = features if isinstance(features, Tensor) else features.pooler_output
    return functional.normalize(tensor.float(), dim=-1)


def _bytes(frames: Tensor) -> Tensor:
    """[-1, 1] to whole numbers 0 to 255, float."""
    return ((frames.clamp(-1, 1) + 1) * 127.5).round()


def _enlarged(frames: Tensor) -> Tensor:
    """VGG-16 halves five times: smaller clips are shown larger."""
    factor = max(1, -(-SMALLEST_VGG_SIDE // min(frames.shape[-2:])))
    return nn.functional.interpolate(frames, scale_factor=factor, mode="nearest") if factor > 1 else frames
