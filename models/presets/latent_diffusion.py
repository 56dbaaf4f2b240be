"""Plain latent diffusion (Ding and Zhu, "Efficient Text-to-Video Generation with Latent Diffusion"): one stage from noise to
video, with ModelScope's published text-to-video checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cascade.models.errors import PresetError
from cascade.models.presets.spec import Preset, Size, StageOptions, StageSpec

FRAMES_AT_ONCE = 8
"""Frames that an autoencoder which compresses time encodes and decodes at once."""


@dataclass(frozen=True)
class LatentTextToVideoOptions(StageOptions):
    """Text to video in the space of an autoencoder, from pure noise.

    Attributes:
        pixels_per_latent: how much smaller the latents are in height and width.
        frames_per_latent: how much shorter they are: 1 for an autoencoder of images, 4 for one that compresses time too.
    """

    pixels_per_latent: int = 8
    frames_per_latent: int = 1

    def latent_size(self, spec: StageSpec[Any]) -> tuple[int, int, int]:
        """Return frames, height and width of the latents of the stage's video."""
        return (
            spec.frames // self.frames_per_latent,
            spec.height // self.pixels_per_latent,
            spec.width // self.pixels_per_latent,
        )

    def check(self, spec: StageSpec[Any], previous: StageSpec[Any] | None) -> None:
        if previous is not None:
            raise PresetError(
                f"stage {spec.name} starts from noise and takes nothing of stage {previous.name}; put it first"
            )
        if spec.height % self.pixels_per_latent or spec.width % self.pixels_per_latent:
            raise PresetError(
                f"stage {spec.name}: {spec.size} is not a multiple of {self.pixels_per_latent}, the pixels of a latent"
            )
        if self.frames_per_latent > 1 and spec.frames % FRAMES_AT_ONCE:
            raise PresetError(
                f"stage {spec.name}: {spec.frames} frames are not a multiple of {FRAMES_AT_ONCE}, which an autoencoder "
                "that compresses time encodes at once"
            )


LATENT_DIFFUSION = Preset(
    name="latent-diffusion",
    description="Plain latent diffusion with ModelScope's published weights: one stage, 16 frames of 256x256; needs a GPU.",
    sizes=(Size(256, 256),),
    example_prompts=(
        "An astronaut riding a horse.",
        "A panda eating bamboo on a rock.",
        "A robot dancing in times square.",
        "Clown fish swimming through the coral reef.",
        "Waves crashing against a lone lighthouse, ominous lighting.",
        "A car driving on a road through the mountains, aerial view.",
        "Fireworks over a city at night.",
        "A corgi running along the beach.",
        "A glass of milk being poured.",
        "Two people playing table tennis.",
        "Timelapse of clouds above a green valley.",
        "A hot air balloon rising over a lake at sunrise.",
    ),
    stages=(
        StageSpec(
            name="text-to-video",
            title="Text to video",
            checkpoint="ali-vilab/text-to-video-ms-1.7b",
            text_encoder="ali-vilab/text-to-video-ms-1.7b",
            frames=16,
            height=256,
            width=256,
            fps=8,
            steps=50,
            max_steps=200,
            guidance_scale=9.0,
            max_prompt_tokens=77,
            options=LatentTextToVideoOptions(),
        ),
    ),
)
