"""Caption questions: an auxiliary loss of question answering, by which a text encoder learns to read captions from nothing.

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

from cascade.models.families.shapes.caption_prior import WIDTH, QueryDecoder, new_queries
from cascade.models.families.shapes.captions import Caption, caption
from cascade.models.families.shapes.scene import (
    BACKGROUNDS,
    COLOURS,
    MOTIONS,
    SHAPES,
    SIZES,
    Scene,
    random_scene,
)
from cascade.models.training.text_conditioning import CaptionEncoder

CHOICES: Mapping[str, tuple[str, ...]] = {
    "colour": tuple(COLOURS),
    "shape": SHAPES,
    "motion": MOTIONS,
    "background": tuple(BACKGROUNDS),
    "size": tuple(SIZES),
    "count": ("one", "two"),
}
"""The possible answers to each kind of question."""

PLACES = ("anywhere", "left", "right", "top", "bottom", "named first", "named second")
"""What questions are about: `anywhere` is a clip with one shape, and what all clips have; the others are of clips with two."""

SIDES: Mapping[str, tuple[str, str]] = {
    "left of": ("left", "right"),
    "right of": ("right", "left"),
    "above": ("top", "bottom"),
    "below": ("bottom", "top"),
}
"""Where the first and the second shape are, by the first one's relation to the second."""

UNANSWERED = -100


class CaptionQuestions(nn.Module):
    """The loss of the questions; its queries and answers are thrown away afterwards."""

    def __init__(self) -> None:
        super().__init__()
        self.queries = new_queries(len(PLACES))
        self.out = nn.Linear(WIDTH, sum(len(choices) for choices in CHOICES.values()))

    def forward(
        self, decoder: QueryDecoder, encoder: CaptionEncoder, count: int, generator: Generator
    ) -> Tensor:
        """Ask about `count` captions of random training scenes, which the encoder makes (count, tokens, features).

        Args:
            decoder: reads the captions; the caption prior, which so learns where words belong before it learns to paint.

        Returns:
            The mean cross-entropy of each kind of answer, summed: a scalar.
        """
        rng = np.random.default_rng(int(torch.randint(2**62, (), generator=generator)))
        scenes = [random_scene("train", rng) for _ in range(count)]
        captions = [caption(scene, rng) for scene in scenes]
        all_answers = [answers(text, scene) for text, scene in zip(captions, scenes, strict=True)]
        features = encoder([caption.text for caption in captions], 0.0, generator, padded=False)
        queries = self.queries.expand(count, -1, -1)
        logits: Tensor = self.out(decoder.decode(queries, features))  # batch, places, choices of all kinds
        by_kind = torch.split(logits.float(), [len(choices) for choices in CHOICES.values()], dim=-1)
        losses = []
        for kind, kind_logits in zip(CHOICES, by_kind, strict=True):
            labels = [
                [label(scene_answers, place, kind) for place in PLACES] for scene_answers in all_answers
            ]
            target = torch.tensor(labels, device=kind_logits.device).flatten()
            total = functional.cross_entropy(
                kind_logits.flatten(0, 1), target, ignore_index=UNANSWERED, reduction="sum"
            )
            losses.append(total / max(1, int((target != UNANSWERED).sum())))
        return torch.stack(losses).sum()


def answers(caption: Caption, scene: Scene) -> dict[tuple[str, str], str]:
    """Return what a caption says of its scene, by place and kind of question."""
    mentions = caption.mentions
    said = {("anywhere", "count"): "one" if scene.second is None else "two"}
    if "background" in mentions:
        said["anywhere", "background"] = scene.background
    if scene.second is None:
        for kind in ("colour", "shape", "motion", "size"):
            if kind in mentions:
                said["anywhere", kind] = getattr(scene, kind)
        return said
    here, there = SIDES[scene.second.relation]
    first, second = (
        ("named second", "named first") if caption.second_first else ("named first", "named second")
    )
    for thing, prefix, order, side in ((scene, "", first, here), (scene.second, "second ", second, there)):
        for kind in ("colour", "shape"):
            if prefix + kind in mentions:
                said[order, kind] = getattr(thing, kind)
                if "relation" in mentions:
                    said[side, kind] = getattr(thing, kind)
    return said


def label(scene_answers: Mapping[tuple[str, str], str], place: str, kind: str) -> int:
    """Return the number of the answer among the choices; UNANSWERED where the caption does not say."""
    answer = scene_answers.get((place, kind))
    return UNANSWERED if answer is None else CHOICES[kind].index(answer)
