"""A stage of a cascade: a pure function from tensors to a clip or to latents."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, Self, TypeVar

from torch import Tensor

from cascade.models.checkpoints.files import Requirement
from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.clip import Clip, Latents, Output, PromptEmbeddings
from cascade.models.diffusion.sampling import OnStep as OnStep
from cascade.models.errors import OutputNotFinite, StageInputError
from cascade.models.media.latent_preview import latent_colours, linear_preview
from cascade.models.presets.spec import AnyStageSpec, StageOptions, StageSpec
from cascade.models.runtime.execution import Execution
from cascade.models.text.encoders import PromptEncoder

PIXEL_CHANNELS = 3

OptionsT = TypeVar("OptionsT", bound=StageOptions)


@dataclass(frozen=True)
class StageInputs(Generic[OptionsT]):
    """All that a stage's output depends on, beside its checkpoint.

    Attributes:
        spec: the stage with the request's choices filled in (`Preset.resolve`).
        prompt, negative_prompt: as the user wrote them; most stages only read the embeddings.
        embeddings: of both, by the stage's text encoder.
        seeds: one per video of the batch; a seed fixes its video whatever else is in the batch.
        previous: the previous stage's output, batch of len(seeds); None for the first stage.
        motion: tensors of a motion adapter by name, for a stage whose options take one.
    """

    spec: StageSpec[OptionsT]
    prompt: str
    negative_prompt: str
    embeddings: PromptEmbeddings
    seeds: tuple[int, ...]
    previous: Output | None = None
    motion: Mapping[str, Tensor] | None = None

    def previous_frames(self, num_frames: int | None = None) -> Tensor:
        """Return the previous stage's pixels (batch, num_frames, channels, height, width) in [-1, 1].

        Raises:
            StageInputError: there are none, or not as many frames as the stage needs (None takes any number).
        """
        frames = self.previous.frames if isinstance(self.previous, Clip) else None
        return self._expected("frames", frames, num_frames)

    def previous_latents(self, num_frames: int | None = None) -> Tensor:
        """Return the previous stage's latents (batch, num_frames, channels, height, width), scaled for diffusion.

        Raises:
            StageInputError: as `previous_frames`.
        """
        latents = self.previous.latents if isinstance(self.previous, Latents) else None
        return self._expected("latent frames", latents, num_frames)

    def _expected(self, what: str, values: Tensor | None, num_frames: int | None) -> Tensor:
        """Return values (batch, frames, ...) if there are as many as expected. Raises StageInputError."""
        videos = len(self.seeds)
        if values is None or values.shape[0] != videos or num_frames not in (None, values.shape[1]):
            got = "none" if values is None else f"a tensor of shape {tuple(values.shape)}"
            number = "any number of" if num_frames is None else num_frames
            raise StageInputError(
                f"stage {self.spec.name} needs {videos} videos of {number} {what}; got {got}"
            )
        return values


class Stage(ABC, Generic[OptionsT]):
    """One loaded stage. Made by `models.families.registry.load_stage`.

    Attributes:
        text: the encoder that the stage's spec names.
    """

    text: PromptEncoder

    @classmethod
    @abstractmethod
    def load(cls, spec: StageSpec[OptionsT], checkpoints: Checkpoints, execution: Execution) -> Self:
        """Load the stage's networks. Raises CheckpointError naming what is missing."""

    @classmethod
    @abstractmethod
    def requirements(cls, spec: StageSpec[OptionsT]) -> tuple[Requirement, ...]:
        """Return the checkpoints that `load` reads."""

    @abstractmethod
    def __call__(self, inputs: StageInputs[OptionsT], on_step: OnStep) -> Output:
        """Run the stage: len(inputs.seeds) videos of the spec's frames and fps.

        Raises:
            StageInputError: the previous stage's output is not what this stage needs.
        """

    def preview(self, latents: Latents) -> Clip:
        """Turn the stage's latents into pixels for people to look at: linearly, or by the stage's own decoder."""
        return linear_preview(latents)

    def show_sample(self, sample: Tensor, fps: int) -> Clip:
        """Show what a sampler of the stage works on, for a glance: pixels as they are, latents linearly and small.

        Args:
            sample: (batch, channels, frames, height, width); three channels are pixels in [-1, 1], others latents.
        Returns:
            (batch, frames, 3, height, width), of the sample's height and width.
        """
        frames = sample.transpose(1, 2)
        return Clip(frames, fps) if frames.shape[2] == PIXEL_CHANNELS else latent_colours(frames, fps)


AnyStage = Stage[Any]


def run_stage(stage: AnyStage, inputs: StageInputs[Any], on_step: OnStep) -> Output:
    """Run a stage, and refuse an output that nobody can use.

    Raises:
        StageInputError: the previous stage's output is not what this stage needs.
        OutputNotFinite: the embeddings or the output hold NaN or infinite numbers.
    """
    spec, embeddings = inputs.spec, inputs.embeddings
    if not (embeddings.prompt.isfinite().all() and embeddings.negative.isfinite().all()):
        raise OutputNotFinite(_not_finite(f'the text encoder of "{spec.text_encoder}"', spec))
    output = stage(inputs, on_step)
    values = output.frames if isinstance(output, Clip) else output.latents
    if not values.isfinite().all():
        raise OutputNotFinite(_not_finite(f'its networks in "{spec.checkpoint}"', spec))
    return output


def _not_finite(maker: str, spec: AnyStageSpec) -> str:
    return (
        f"stage {spec.name} failed: {maker} made numbers that are not finite (NaN or infinite); the checkpoint is "
        "damaged (`cascade checkpoints verify` tells), or needs another precision (CASCADE_DTYPE)"
    )
