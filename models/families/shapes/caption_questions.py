"""Questions about captions of moving shapes, by which a text encoder that starts from nothing learns to read.

Published text encoders come trained on much text. A small one that learns from a denoiser's loss alone soon finds the
words for colours; but that "left of" tells which of two colours is where shows in a loss of pixels so faintly that it
is hardly ever learned. As answers to questions it takes minutes.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from cascade.models.families.shapes.caption_prior import Reader
from cascade.models.families.shapes.moving_shapes import (
    BACKGROUNDS,
    COLOURS,
    MOTIONS,
    SHAPES,
    Scene,
    caption,
    random_scene,
)
from cascade.models.training.text_conditioning import CaptionEncoder

ANSWERS: Mapping[str, tuple[str, ...]] = {
    "colour": tuple(COLOURS),
    "shape": SHAPES,
    "motion": MOTIONS,
    "background": tuple(BACKGROUNDS),
}
PLACES = ("anywhere", "left", "right", "top", "bottom")
"""A question is asked of each place: of `anywhere` about a clip with one shape, of the others about one with two."""

SIDES: Mapping[str, tuple[str, str]] = {
    "left of": ("left", "right"),
    "right of": ("right", "left"),
    "above": ("top", "bottom"),
    "below": ("bottom", "top"),
}
UNASKED = -100


class Reading(nn.Module):
    """The loss of reading captions; its own layers are thrown away afterwards."""

    def __init__(self, text_width: int) -> None:
        super().__init__()
        self.reader = Reader(len(PLACES), text_width, sum(len(known) for known in ANSWERS.values()))

    def forward(self, encoder: CaptionEncoder, count: int, generator: Generator) -> Tensor:
        """Of `count` captions of training scenes: the mean cross-entropy of each kind of answer, summed."""
        rng = np.random.default_rng(int(torch.randint(2**62, (), generator=generator)))
        scenes = [random_scene("train", rng) for _ in range(count)]
        captions = [caption(scene, rng) for scene in scenes]
        asked = [answers(*pair) for pair in zip(captions, scenes, strict=True)]
        text = encoder(captions, 0.0, generator)
        guesses = self.reader(text).float().split([len(known) for known in ANSWERS.values()], dim=-1)
        losses = []
        for (kind, known), guess in zip(ANSWERS.items(), guesses, strict=True):
            wanted = [
                [known.index(told[place, kind]) if (place, kind) in told else UNASKED for place in PLACES]
                for told in asked
            ]
            target = torch.tensor(wanted, device=guess.device).flatten()
            total = functional.cross_entropy(
                guess.flatten(0, 1), target, ignore_index=UNASKED, reduction="sum"
            )
            losses.append(total / max(1, int((target != UNASKED).sum())))
        return torch.stack(losses).sum()


def answers(caption: str, scene: Scene) -> dict[tuple[str, str], str]:
    """What a caption says of its scene, by place and kind of answer."""
    told = {}
    if scene.second is None:
        told["anywhere", "colour"] = scene.colour
        told["anywhere", "shape"] = scene.shape
        told["anywhere", "motion"] = scene.motion
    else:
        here, there = SIDES[scene.second.relation]
        for place, thing in ((here, scene), (there, scene.second)):
            told[place, "colour"] = thing.colour
            told[place, "shape"] = thing.shape
    if f"{scene.background} background" in caption:
        told["anywhere", "background"] = scene.background
    return told
