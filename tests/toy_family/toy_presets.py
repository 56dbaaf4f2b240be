"""The preset of the toy family."""

from __future__ import annotations

from dataclasses import dataclass, replace

from cascade.models.presets.spec import Preset, Size, StageOptions, StageSpec


@dataclass(frozen=True)
class SketchOptions(StageOptions):
    """`boldness` multiplies what the sketch's network makes of noise."""

    boldness: float = 1.0


@dataclass(frozen=True)
class PaintOptions(StageOptions):
    """Painting needs nothing beyond the common settings."""


SKETCH: StageSpec[StageOptions] = StageSpec(
    name="sketch",
    title="Sketch",
    checkpoint="toy/sketch",
    text_encoder="toy",
    frames=4,
    height=64,
    width=64,
    fps=4,
    steps=3,
    max_steps=10,
    guidance_scale=1.0,
    options=SketchOptions(),
)
PAINT = replace(SKETCH, name="paint", title="Painting", checkpoint="toy/paint", options=PaintOptions())
TOY = Preset(
    name="toy",
    description="A sketch in latent space, painted.",
    sizes=(Size(64, 64), Size(128, 128)),
    example_prompts=("anything",),
    scorer="brightness",
    stages=(SKETCH, PAINT),
)
