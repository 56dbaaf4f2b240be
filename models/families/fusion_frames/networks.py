"""The networks of a checkpoint: a UNet with its null embedding and, in some files, the projection of its text.

kandinsky_video.pt   unet, null_embedding, projections      interpolation.pt   unet, null_embedding
keyframes/           the same tensors as one network of this project
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from cascade.models.checkpoints.network import CheckpointNetwork
from cascade.models.clip import PromptEmbeddings
from cascade.models.errors import CheckpointError
from cascade.models.families.fusion_frames.interpolation_unet import InterpolationUNet
from cascade.models.families.fusion_frames.keyframes_unet import KeyframesUNet
from cascade.models.families.fusion_frames.movq import MoVQ
from cascade.models.families.fusion_frames.published import PUBLISHED
from cascade.models.families.fusion_frames.text import Context, TextProjection, null_context
from cascade.models.families.fusion_frames.video_unet import VideoUNet


class PublishedNetwork(CheckpointNetwork):
    """A network whose published files have no configuration beside them."""

    @classmethod
    def published_config(cls, file: str) -> Mapping[str, Any] | None:
        return PUBLISHED.get(file)


class TextUNet(PublishedNetwork):
    """A UNet with what it needs to read text.

    Attributes:
        kind: the class of the UNet.
    """

    kind: ClassVar[type[VideoUNet]]

    def __init__(self, unet: VideoUNet, text_width: int | None) -> None:
        super().__init__()
        width = unet.config.context_dim
        self.unet, self.text_width = unet, text_width
        self.null_embedding = nn.Parameter(torch.zeros(width))
        if text_width is not None:
            self.projections = nn.ModuleDict({"t5": TextProjection(text_width, width)})

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        unknown = config.keys() - {"unet", "text_width"}
        if unknown or "unet" not in config:
            raise CheckpointError(
                f"the keys are unet and text_width; there are {', '.join(sorted(config)) or 'none'}"
            )
        return cls(cls.kind.from_config(config["unet"]), config.get("text_width"))

    def config_json(self) -> dict[str, Any]:
        return {"unet": self.unet.config_json(), "text_width": self.text_width}

    def forward(self, *inputs: Tensor, **conditions: Any) -> Tensor:
        """Predict as the UNet does: (frames, num_channels, height, width) to (frames, out_channels, height, width)."""
        prediction: Tensor = self.unet(*inputs, **conditions)
        return prediction

    @property
    def projection(self) -> TextProjection | None:
        """The projection of the text that lies with the UNet; None where it has none."""
        projection = self.projections["t5"] if self.text_width is not None else None
        assert projection is None or isinstance(projection, TextProjection)
        return projection

    def no_text(self, tokens: int) -> Context:
        """Make the context of no text, of so many tokens."""
        return null_context(self.null_embedding, tokens)


class KeyframesNetwork(TextUNet):
    """The keyframe UNet with its text."""

    kind = KeyframesUNet
    unet: KeyframesUNet


class InterpolationNetwork(TextUNet):
    """The interpolation UNet with its text."""

    kind = InterpolationUNet
    unet: InterpolationUNet


class TextProjections(PublishedNetwork):
    """The projections of version 1.1, in a file of their own; the published pipeline reads the first in all of its stages."""

    def __init__(self, text_width: int, context_width: int) -> None:
        super().__init__()
        self.text_width, self.context_width = text_width, context_width
        self.projection_base = TextProjection(text_width, context_width)
        self.projection_interpolation = TextProjection(text_width, context_width)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        return cls(config["text_width"], config["context_width"])

    def config_json(self) -> dict[str, Any]:
        return {"text_width": self.text_width, "context_width": self.context_width}


class Autoencoder(MoVQ, PublishedNetwork):
    """MoVQ as a part of a checkpoint."""


def prompt_contexts(
    network: TextUNet, projection: TextProjection, embeddings: PromptEmbeddings
) -> tuple[Context, Context]:
    """Make the contexts of the prompt, and of the negative prompt or of no text."""
    prompt = projection.context(embeddings.prompt)
    if not embeddings.negative.any():
        return prompt, network.no_text(prompt.tokens.shape[1])
    return prompt, projection.context(embeddings.negative)
