"""Time and peak memory of every stage of `show-1` at full size, on a GPU, with random weights.

The published weights change neither. The paper's figures to compare with (Table 5): 30, 60, 65 and 23 s and
11, 10, 14 and 15 GB for 75, 75, 50 and 40 steps. A few steps are timed and scaled to these.

    python benchmarks/full_size.py [STEPS]
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from diffusers import AutoencoderKL, DDIMScheduler
from rich.console import Console
from rich.table import Table
from torch import nn

from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.clip import Clip, PromptEmbeddings
from cascade.models.families.show1.expert_translation import ExpertTranslation
from cascade.models.families.show1.interpolation import Interpolation
from cascade.models.families.show1.keyframes import Keyframes
from cascade.models.families.show1.latent_unet import LatentUNetConfig, LatentVideoUNet
from cascade.models.families.show1.pixel_stage import PixelStage, pixel_scheduler
from cascade.models.families.show1.pixel_unet import PixelVideoUNet
from cascade.models.families.show1.pixel_unet_config import PixelUNetConfig
from cascade.models.families.show1.super_resolution import SuperResolution
from cascade.models.presets.show1 import SHOW_1
from cascade.models.presets.spec import AnyStageSpec
from cascade.models.runtime.execution import Execution
from cascade.models.stage import StageInputs
from cascade.models.text.encoders import LazyEncoder, PromptEncoder

GOLDEN = Path(__file__).parent.parent / "tests" / "models" / "golden"
EXPERT_TRANSLATION = "expert-translation"
PIXEL_STAGES: dict[str, type[PixelStage[Any]]] = {
    "keyframes": Keyframes,
    "interpolation": Interpolation,
    "super-resolution": SuperResolution,
}
PAPER_STEPS = {"keyframes": 75, "interpolation": 75, "super-resolution": 50, EXPERT_TRANSLATION: 40}
# The published configuration of the super-resolution UNet is not in this repository; this one, with 1.2 B parameters, is
# rather larger: DeepFloyd IF-II's pattern of levels, text attention in the lowest two.
SUPER_RESOLUTION = {
    "in_channels": 6,
    "block_out_channels": [128, 256, 512, 640, 1024],
    "layers_per_block": [2, 4, 4, 4, 4],
    "down_block_types": ["ResnetDownsampleBlock3D"] * 3 + ["SimpleCrossAttnDownBlock3D"] * 2,
    "up_block_types": ["SimpleCrossAttnUpBlock3D"] * 2 + ["ResnetUpsampleBlock3D"] * 3,
    "only_cross_attention": [True, True, True, True, False],
    "class_embed_type": "timestep",
}
EXECUTION = Execution(device="cuda", dtype="bfloat16")
TOKENS, T5_WIDTH, CLIP_WIDTH = 77, 4096, 1024

NetworkT = TypeVar("NetworkT", bound=nn.Module)


@dataclass(frozen=True)
class Measurement:
    """One stage: billions of parameters, seconds a denoising step, and the peak of the GPU's memory in GiB."""

    parameters_b: float
    step_s: float
    peak_gib: float


def main() -> None:
    """Print a table of all stages, each run on the output of the one before."""
    if not torch.cuda.is_available():
        print("full_size.py: needs a CUDA GPU; nothing was measured")
        return
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    table = Table("stage", "parameters", "s a step", "s at the paper's steps", "peak GiB")
    clip: Clip | None = None
    for spec in SHOW_1.resolve(steps=dict.fromkeys(PAPER_STEPS, steps)):
        clip, measurement = measure(spec, clip)
        table.add_row(
            spec.name,
            f"{measurement.parameters_b:.2f} B",
            f"{measurement.step_s:.2f}",
            f"{measurement.step_s * PAPER_STEPS[spec.name]:.0f}",
            f"{measurement.peak_gib:.1f}",
        )
    Console().print(table)


def measure(spec: AnyStageSpec, previous: Clip | None) -> tuple[Clip, Measurement]:
    """Run a stage twice, the first time to warm up.

    Returns:
        Its clip (1, frames, 3, height, width), clamped to [-1, 1], and what the second run took.
    """
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    stage = create_stage(spec)
    inputs: StageInputs[Any] = StageInputs(spec, "", "", random_embeddings(spec), (7,), previous)
    stage(inputs, ignore_step)
    torch.cuda.synchronize()
    started = time.monotonic()
    output = stage(inputs, ignore_step)
    torch.cuda.synchronize()
    seconds = time.monotonic() - started
    assert isinstance(output, Clip)
    parameters = sum(parameter.numel() for parameter in stage.unet.parameters())
    peak_bytes = torch.cuda.max_memory_allocated()
    clip = Clip(output.frames.clamp(-1, 1).nan_to_num(), spec.fps)
    return clip, Measurement(parameters / 1e9, seconds / denoising_steps(spec), peak_bytes / 2**30)


def create_stage(spec: AnyStageSpec) -> PixelStage[Any] | ExpertTranslation:
    """Create a stage with random weights, on the GPU; its text encoder is not needed."""
    text = LazyEncoder(no_text_encoder)
    if spec.name == EXPERT_TRANSLATION:
        with torch.device(EXECUTION.device):
            latent_unet = LatentVideoUNet(LatentUNetConfig.from_dict(published_config("expert_translation")))
            autoencoder = create_autoencoder()
        scheduler = DDIMScheduler(beta_schedule="scaled_linear")
        return ExpertTranslation(ready(latent_unet), scheduler, ready(autoencoder), text, EXECUTION)
    config = published_config("interpolation" if spec.name == "interpolation" else "keyframes")
    if spec.name == "super-resolution":
        config |= SUPER_RESOLUTION
    with torch.device(EXECUTION.device):
        unet = PixelVideoUNet(PixelUNetConfig.from_dict(config))
    scheduler = pixel_scheduler(spec, Checkpoints(Path()))  # the preset prescribes it: no checkpoint is read
    return PIXEL_STAGES[spec.name](ready(unet), scheduler, text, EXECUTION)


def create_autoencoder() -> AutoencoderKL:
    """Create Stable Diffusion's autoencoder: 4 channels at an eighth of the height and width."""
    levels = 4
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        block_out_channels=(128, 256, 512, 512),
        layers_per_block=2,
        latent_channels=4,
    )


def ready(network: NetworkT) -> NetworkT:
    """Bring a network to the precision of the benchmark, for inference."""
    return network.to(torch.bfloat16).eval().requires_grad_(False)


def published_config(name: str) -> dict[str, Any]:
    """Read the configuration of a published network from the golden files."""
    config: dict[str, Any] = json.loads((GOLDEN / f"manifest_{name}.json").read_text())["config"]
    return config


def random_embeddings(spec: AnyStageSpec) -> PromptEmbeddings:
    """Draw features of the shape that the stage's text encoder makes: (1, tokens, features) each."""
    width = CLIP_WIDTH if spec.name == EXPERT_TRANSLATION else T5_WIDTH
    return PromptEmbeddings(torch.randn(1, TOKENS, width), torch.randn(1, TOKENS, width))


def denoising_steps(spec: AnyStageSpec) -> int:
    """Return how many steps a stage denoises: expert translation leaves the noisiest out (Show-1, section 3.6)."""
    strength: float = getattr(spec.options, "strength", 1.0)
    return max(int(spec.steps * strength), 1)


def no_text_encoder() -> PromptEncoder:
    """Refuse to load a text encoder: embeddings are random."""
    raise NotImplementedError("the benchmark hands over embeddings and has no text encoder")


def ignore_step(_step: int, _steps: int) -> None:
    """Progress that nobody watches."""


if __name__ == "__main__":
    main()
