"""FusionFrames (Arkhipkin et al., 2023, arXiv 2311.13073), published as Kandinsky Video 1.0 and 1.1: keyframes of latents,
interpolation of latents, decoding."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from cascade.models.errors import PresetError
from cascade.models.presets.spec import Preset, Size, StageOptions, StageSpec

PIXELS_PER_LATENT = 8
FRAMES_BETWEEN = 3
MAX_SKIP = 19
MAX_NOISE_LEVEL = 999

MOTION_SCORES = {"low": 1, "medium": 10, "high": 50, "extreme": 100}
"""How much moves, as version 1.1 knows it."""


@dataclass(frozen=True)
class Sampler:
    """The sampler of a published version.

    Attributes:
        kind: `respaced` is version 1.0's, a cosine schedule made anew for the number of steps; `zero-terminal-snr` is
            version 1.1's, 1000 timesteps of it rescaled to end in pure noise.
        prediction: what the network predicts.
        spacing: of the timesteps, of version 1.1.
    """

    kind: Literal["respaced", "zero-terminal-snr"]
    prediction: Literal["epsilon", "v_prediction"] = "epsilon"
    spacing: Literal["leading", "trailing"] = "leading"


@dataclass(frozen=True)
class FirstFrameOptions:
    """The picture that the keyframes of version 1.1 begin with, made by the same UNet at `scale` times the size.

    Attributes:
        steps, guidance_scale: of its sampling; 1 is no guidance.
        autoencoder: the part that decodes and encodes it.
        image_guidance: the weight of the picture in the guidance of the keyframes.
        noise_level: 0 to 999, to which the picture is noised before it is shown to the UNet.
        uniform_noise: the noise is uniform in [0, 1), as in the published code, in which the weights are used; else normal.
        motion_score: how much is to move (`MOTION_SCORES`).
    """

    steps: int
    guidance_scale: float
    autoencoder: str
    image_guidance: float
    noise_level: int = 20
    uniform_noise: bool = True
    motion_score: int = MOTION_SCORES["medium"]
    scale: int = 2


@dataclass(frozen=True)
class KeyframesOptions(StageOptions):
    """Keyframes in latent space (FusionFrames, section 4.1).

    Attributes:
        unet: the part of the checkpoint: a folder, or a published file.
        text_projections: the part with the projection of the text, where the UNet's own has none.
        position_step: the distance of two keyframes, in what the UNet counts time in.
        sampler: None takes the spec's schedule, or else the checkpoint's own.
        first_frame: of version 1.1.
    """

    unet: str = "keyframes"
    text_projections: str | None = None
    position_step: float = 1.0
    sampler: Sampler | None = None
    first_frame: FirstFrameOptions | None = None

    def planned_steps(self, spec: StageSpec[Any], videos: int) -> int:  # noqa: ARG002
        return spec.steps + (0 if self.first_frame is None else self.first_frame.steps)

    def check(self, spec: StageSpec[Any], previous: StageSpec[Any] | None) -> None:  # noqa: ARG002
        check_latent_size(spec)
        if self.first_frame is not None:
            check_range(spec, "noise level", self.first_frame.noise_level, MAX_NOISE_LEVEL)


@dataclass(frozen=True)
class InterpolationOptions(StageOptions):
    """Three frames between neighbouring keyframes, in latent space (FusionFrames, section 4.2).

    Attributes:
        unet, text_projections, sampler: as those of keyframes; without a projection the UNet is not told the prompt.
        skips: s, how many frames are skipped between two, of each pass; two passes are two times as many frames, twice.
        perturbation_level: tp, how noisy the UNet is told that the keyframes are; they are not noised.
    """

    unet: str = "interpolation"
    text_projections: str | None = None
    sampler: Sampler | None = None
    skips: tuple[int, ...] = (3,)
    perturbation_level: int = 0

    def keyframes(self, frames: int) -> int:
        """Return how many keyframes `frames` frames are made of. Raises PresetError if none are."""
        between: int = (FRAMES_BETWEEN + 1) ** len(self.skips)
        if not self.skips or frames <= between or (frames - 1) % between:
            raise PresetError(
                f"{frames} frames are not what {len(self.skips)} passes of interpolation make; "
                f"the number must be 1 more than a multiple of {between}, and more than {between}"
            )
        return (frames - 1) // between + 1

    def planned_steps(self, spec: StageSpec[Any], videos: int) -> int:  # noqa: ARG002
        return spec.steps * len(self.skips)

    def check(self, spec: StageSpec[Any], previous: StageSpec[Any] | None) -> None:
        check_latent_size(spec)
        for skip in self.skips:
            check_range(spec, "skip", skip, MAX_SKIP)
        check_range(spec, "perturbation level", self.perturbation_level, MAX_NOISE_LEVEL)
        try:
            keyframes = self.keyframes(spec.frames)
        except PresetError as error:
            raise PresetError(f"stage {spec.name}: {error}") from error
        if previous is not None and previous.frames != keyframes:
            raise PresetError(
                f"stage {spec.name} makes its {spec.frames} frames of {keyframes} keyframes; "
                f"stage {previous.name} makes {previous.frames}"
            )


@dataclass(frozen=True)
class DecodingOptions(StageOptions):
    """Latents to pixels by a temporal decoder, or the image one (FusionFrames, section 4.3).

    Attributes:
        autoencoder: the part of the checkpoint: a folder, or a published file.
        frames_per_chunk: a clip is decoded in as many chunks as whole ones of so many frames fit in it.
    """

    autoencoder: str = "autoencoder"
    frames_per_chunk: int = 4

    def chunks(self, frames: int) -> int:
        """Return how many chunks a clip is decoded in: as torch.chunk makes them."""
        size = -(-frames // max(frames // self.frames_per_chunk, 1))
        return -(-frames // size)

    def planned_steps(self, spec: StageSpec[Any], videos: int) -> int:
        return self.chunks(spec.frames) * videos

    def check(self, spec: StageSpec[Any], previous: StageSpec[Any] | None) -> None:
        check_latent_size(spec)
        if self.frames_per_chunk < 1:
            raise PresetError(f"stage {spec.name}: chunks of {self.frames_per_chunk} frames are none")
        if previous is not None and (previous.frames, previous.size) != (spec.frames, spec.size):
            raise PresetError(
                f"stage {spec.name} decodes {spec.frames} frames of {spec.size}; "
                f"stage {previous.name} makes {previous.frames} of {previous.size}"
            )


def check_latent_size(spec: StageSpec[Any]) -> None:
    """Refuse a size that is no whole number of latents. Raises PresetError."""
    if spec.width % PIXELS_PER_LATENT or spec.height % PIXELS_PER_LATENT:
        raise PresetError(f"stage {spec.name}: {spec.size} is not a multiple of {PIXELS_PER_LATENT} pixels")


def check_range(spec: StageSpec[Any], what: str, value: int, largest: int) -> None:
    """Refuse a number that the networks do not know. Raises PresetError."""
    if not 0 <= value <= largest:
        raise PresetError(f"stage {spec.name}: {what} {value} is not 0 to {largest}")


PROMPTS = (
    "A red car is drifting on the mountain road, close view, fast movement.",
    "Luminescent jellyfishes are floating deep in the ocean.",
    "A corgi walks through autumn leaves in a park, golden light.",
    "Waves break on a rocky shore at sunset, slow motion.",
    "A hot air balloon rises above green hills in the morning mist.",
    "Rain falls on a city street at night, neon lights in the puddles.",
    "A cat in a spacesuit looks out of the window of a spaceship.",
    "A train crosses a stone bridge in a snowy valley, aerial view.",
    "An origami crane unfolds its wings on a wooden table.",
    "Smoke curls up from a cup of tea by the window.",
    "A sunflower opens in a field, time-lapse.",
    "A lighthouse beam sweeps over a stormy sea.",
)

TEXT_ENCODER = "google/flan-ul2"
TEXT_TOKENS = 128
VERSION_1_0 = "ai-forever/KandinskyVideo"
VERSION_1_1 = "ai-forever/KandinskyVideo_1_1"

KEYFRAMES_1_0 = StageSpec(
    name="keyframes",
    title="Keyframes",
    checkpoint=VERSION_1_0,
    text_encoder=TEXT_ENCODER,
    frames=15,
    height=384,
    width=640,
    fps=2,
    steps=50,
    max_steps=250,
    guidance_scale=6.0,  # 1 + w, w = 5
    max_prompt_tokens=TEXT_TOKENS,
    options=KeyframesOptions(
        unet="weights/kandinsky_video.pt", position_step=12, sampler=Sampler("respaced", "epsilon")
    ),
)

KANDINSKY_VIDEO = Preset(
    name="kandinsky-video",
    description="Kandinsky Video 1.0 as published, 57 frames of 640x384 at 8 frames per second; needs a GPU.",
    sizes=(Size(640, 384), Size(512, 512)),
    example_prompts=PROMPTS,
    stages=(
        KEYFRAMES_1_0,
        StageSpec(
            name="interpolation",
            title="Interpolation",
            checkpoint=VERSION_1_0,
            text_encoder=TEXT_ENCODER,
            frames=57,
            height=384,
            width=640,
            fps=8,
            steps=50,
            max_steps=250,
            guidance_scale=1.25,  # 1 + w, w = 0.25
            max_prompt_tokens=TEXT_TOKENS,
            options=InterpolationOptions(
                unet="weights/kandinsky_video_interpolation.pt", sampler=Sampler("respaced", "v_prediction")
            ),
        ),
        StageSpec(
            name="decoding",
            title="Decoding",
            checkpoint=VERSION_1_0,
            text_encoder=TEXT_ENCODER,
            frames=57,
            height=384,
            width=640,
            fps=8,
            steps=1,
            max_steps=1,
            guidance_scale=1.0,
            options=DecodingOptions(autoencoder="weights/movq.pt"),
        ),
    ),
)

KANDINSKY_VIDEO_1_1 = Preset(
    name="kandinsky-video-1.1",
    description="Kandinsky Video 1.1 as published, 45 frames of 640x384 at 8 frames per second; needs a GPU.",
    sizes=(Size(640, 384), Size(512, 512)),
    example_prompts=PROMPTS,
    stages=(
        replace(
            KEYFRAMES_1_0,
            checkpoint=VERSION_1_1,
            frames=12,
            guidance_scale=5.0,
            options=KeyframesOptions(
                unet="t2v.pt",
                text_projections="t5_projections.pt",
                sampler=Sampler("zero-terminal-snr", "epsilon", "leading"),
                first_frame=FirstFrameOptions(
                    steps=50, guidance_scale=6.0, autoencoder="movq.pt", image_guidance=3.0
                ),
            ),
        ),
        StageSpec(
            name="interpolation",
            title="Interpolation",
            checkpoint=VERSION_1_1,
            text_encoder=TEXT_ENCODER,
            frames=45,
            height=384,
            width=640,
            fps=8,
            steps=10,
            max_steps=250,
            guidance_scale=1.5,  # 1 + w, w = 0.5
            max_prompt_tokens=TEXT_TOKENS,
            options=InterpolationOptions(
                unet="interpolation.pt",
                text_projections="t5_projections.pt",
                sampler=Sampler("zero-terminal-snr", "v_prediction", "trailing"),
            ),
        ),
        StageSpec(
            name="decoding",
            title="Decoding",
            checkpoint=VERSION_1_1,
            text_encoder=TEXT_ENCODER,
            frames=45,
            height=384,
            width=640,
            fps=8,
            steps=1,
            max_steps=1,
            guidance_scale=1.0,
            options=DecodingOptions(autoencoder="video_movq.pt"),
        ),
    ),
)
