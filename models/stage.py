"""What a stage is to the rest of the cascade: a pure function from tensors to a clip."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from cascade.models.clip import Clip, PromptEmbeddings
from cascade.models.presets.table import StageSpec
from cascade.models.text.encoders import PromptEncoder

OnStep = Callable[[int, int], None]
"""Called after denoising step k of n; raising inside it stops the stage between two steps."""


@dataclass(frozen=True)
class StageInputs:
    """All that a stage's output depends on, beside its checkpoint.

    Attributes:
        spec: the stage with the request's choices filled in (`Preset.resolve`).
        prompt, negative_prompt: as the user wrote them; most stages only read the embeddings.
        embeddings: of both, by the stage's text encoder.
        seeds: one per video of the batch; a seed fixes its video whatever else is in the batch.
        clip: the previous stage's output, batch of len(seeds); None for the first stage.
        motion: an adapter for keyframes (`cascade.models.families.show1.motion`); other stages leave it alone.
    """

    spec: StageSpec
    prompt: str
    negative_prompt: str
    embeddings: PromptEmbeddings
    seeds: tuple[int, ...]
    clip: Clip | None = None
    motion: Mapping[str, Tensor] | None = None

    def previous_frames(self, num_frames: int) -> Tensor:
        """The previous stage's frames (batch, num_frames, channels, height, width).

        Raises:
            ValueError: there are none, or not as many as the stage needs.
        """
        expected = (len(self.seeds), num_frames)
        if self.clip is None or self.clip.frames.shape[:2] != expected:
            got = "no clip" if self.clip is None else f"a clip of shape {tuple(self.clip.frames.shape)}"
            raise ValueError(
                f"stage {self.spec.kind} needs {expected[0]} videos of {num_frames} frames; got {got}"
            )
        return self.clip.frames


class Stage(Protocol):
    """One loaded stage. Made by `cascade.models.families.registry.load_stage`.

    Attributes:
        text: the encoder that the stage's spec names.
    """

    text: PromptEncoder

    def __call__(self, inputs: StageInputs, on_step: OnStep) -> Clip:
        """Run the stage: a clip of len(inputs.seeds) videos of the spec's frames, height, width and fps."""
        ...
