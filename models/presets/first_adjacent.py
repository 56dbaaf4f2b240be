"""First-adjacent attention (the thesis "Simple and Temporal Latent Diffusion Framework"): Stable Diffusion 1.4, frozen, with
temporal convolutions and Temporal First-Adjacent Attention."""

from __future__ import annotations

from dataclasses import dataclass

from cascade.models.presets.latent_diffusion import LatentTextToVideoOptions
from cascade.models.presets.spec import Preset, Size, StageSpec


@dataclass(frozen=True)
class FirstAdjacentOptions(LatentTextToVideoOptions):
    """Text to video by the UNet with first-adjacent attention, frame by frame in the space of an image autoencoder."""


FIRST_ADJACENT = Preset(
    name="first-adjacent",
    description=(
        "Stable Diffusion 1.4 with first-adjacent attention, 8 frames of 256x256; made by `cascade checkpoints convert`, "
        "to be trained; needs a GPU."
    ),
    sizes=(Size(256, 256),),
    example_prompts=(
        "A panda eating bamboo on a rock.",
        "A man playing the guitar.",
        "A woman applying lipstick in front of a mirror.",
        "A person riding a horse through a field.",
        "A chef chopping vegetables in a kitchen.",
        "A boy juggling a soccer ball.",
        "A gymnast on the balance beam.",
        "A dog running on the beach.",
        "A kayak on a wild river.",
        "A red car driving along the coast.",
        "A surfer riding a wave.",
        "Fireworks over a city at night.",
    ),
    stages=(
        StageSpec(
            name="text-to-video",
            title="Text to video",
            checkpoint="first-adjacent",
            text_encoder="first-adjacent",
            frames=8,
            height=256,
            width=256,
            fps=24,
            steps=50,
            max_steps=200,
            guidance_scale=7.5,
            max_prompt_tokens=77,
            options=FirstAdjacentOptions(),
        ),
    ),
)
