"""Guidance: what the network predicts with and without its conditions, put together.

All branches of one step run as one batch: of text (Ho and Salimans, 2022), of text and a first frame (version 1.1), and of
keyframes, the paper's context guidance (FusionFrames, equation 4).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from einops import rearrange
from torch import Tensor, nn

from cascade.models.diffusion.sampling import Predict
from cascade.models.families.fusion_frames.text import Context


@dataclass(frozen=True)
class Branch:
    """The conditions of one run of the network.

    Attributes:
        context: the text.
        before, after: (clips, channels, frames, height, width), put beside the sample's channels, before and behind them.
        numbers: (frames,) each, by the network's names for them.
    """

    context: Context
    before: Tensor | None = None
    after: Tensor | None = None
    numbers: Mapping[str, Tensor] = field(default_factory=dict)

    def around(self, sample: Tensor) -> Tensor:
        """Put the conditions beside the sample (clips, channels, frames, height, width); the same with more channels."""
        return torch.cat([part for part in (self.before, sample, self.after) if part is not None], dim=1)


Combine = Callable[..., Tensor]
"""Makes one prediction of those of all branches, each (clips, channels, frames, height, width)."""


def branched_predictor(
    network: nn.Module, branches: Sequence[Branch], combine: Combine, length: str | None
) -> Predict:
    """Make a `Predict` that runs all branches as one batch.

    Args:
        length: the network's name for the number of frames of a clip; None for images.
    """
    dtype = next(network.parameters()).dtype

    def predict(sample: Tensor, timestep: Tensor) -> Tensor:
        clips, frames = sample.shape[0], sample.shape[2]
        x = torch.cat([_fold(branch.around(sample)) for branch in branches])
        count = clips * frames
        conditions: dict[str, Any] = {
            "context": _per_frame([branch.context.tokens for branch in branches], count).to(x.device, dtype),
            "context_mask": _per_frame([branch.context.mask for branch in branches], count).to(x.device),
        }
        for name in branches[0].numbers:
            values = torch.cat([branch.numbers[name].repeat(clips) for branch in branches])
            conditions[name] = values.to(x.device)
        if length is not None:
            conditions[length] = frames
        prediction: Tensor = network(x.to(dtype), timestep.to(x.device).expand(len(x)), **conditions)
        parts = prediction.float().chunk(len(branches))
        return combine(*(rearrange(part, "(b f) c h w -> b c f h w", b=clips) for part in parts))

    return predict


def text_guidance(guidance_scale: float) -> Combine:
    """Move away from no text: (1 + w)·prompt - w·none, with the scale 1 + w."""

    def combine(prompt: Tensor, none: Tensor) -> Tensor:
        return none + guidance_scale * (prompt - none)

    return combine


context_guidance = text_guidance
"""Equation 4 is the same sum, of the predictions with keyframes and mt = 1, and without them and mt = 0."""


def image_and_text_guidance(image_weight: float, text_weight: float) -> Combine:
    """Move towards the first frame, and from there towards the text (version 1.1)."""

    def combine(both: Tensor, image: Tensor, none: Tensor) -> Tensor:
        return (1 - image_weight) * none + (image_weight - text_weight) * image + text_weight * both

    return combine


def alone(prediction: Tensor) -> Tensor:
    """No guidance: the prediction (clips, channels, frames, height, width) of the only branch."""
    return prediction


def _fold(clips: Tensor) -> Tensor:
    """Fold the frames of clips (batch, channels, frames, height, width) into the batch."""
    folded: Tensor = rearrange(clips, "b c f h w -> (b f) c h w")
    return folded


def _per_frame(values: list[Tensor], count: int) -> Tensor:
    """Repeat each of (1, tokens, ...) for `count` frames, branch after branch."""
    return torch.cat([value.expand(count, *value.shape[1:]) for value in values])
