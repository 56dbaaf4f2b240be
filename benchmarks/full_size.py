"""Time and peak memory of every stage of `show-1` at full size, on a GPU, with random weights.

The published weights change neither. The paper's figures to compare with (Table 5): 30, 60, 65 and 23 s and
11, 10, 14 and 15 GB for 75, 75, 50 and 40 steps. A few steps are timed and scaled to these.

    python benchmarks/full_size.py [STEPS]
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDIMScheduler
from rich.console import Console
from rich.table import Table

from cascade.models.clip import Clip, PromptEmbeddings
from cascade.models.families.show1.expert_translation import ExpertTranslation
from cascade.models.families.show1.interpolation import Interpolation
from cascade.models.families.show1.keyframes import Keyframes
from cascade.models.families.show1.latent_unet import LatentUNetConfig, LatentVideoUNet
from cascade.models.families.show1.pixel_stage import pixel_scheduler
from cascade.models.families.show1.pixel_unet import PixelVideoUNet
from cascade.models.families.show1.pixel_unet_config import PixelUNetConfig
from cascade.models.families.show1.super_resolution import SuperResolution
from cascade.models.presets.table import SHOW_1, StageKind
from cascade.models.runtime.execution import Execution
from cascade.models.stage import StageInputs

GOLDEN = Path(__file__).parent.parent / "tests" / "models" / "golden"
PAPER_STEPS = {
    StageKind.KEYFRAMES: 75,
    StageKind.INTERPOLATION: 75,
    StageKind.SUPER_RESOLUTION: 50,
    StageKind.EXPERT_TRANSLATION: 40,
}
# The configuration of the published super-resolution UNet is not to be had here; this one has its 0.8 B parameters'
# order of magnitude: DeepFloyd IF-II's pattern of levels, text attention in the lowest two.
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


def on_gpu(network: torch.nn.Module) -> torch.nn.Module:
    return network.to(torch.bfloat16).eval().requires_grad_(False)


def manifest(name: str) -> dict:
    return json.loads((GOLDEN / f"manifest_{name}.json").read_text())["config"]


def load(kind: StageKind) -> object:
    """The stage with random weights, made on the GPU."""
    spec = SHOW_1.stage(kind)
    with torch.device("cuda"):
        if kind is StageKind.EXPERT_TRANSLATION:
            unet = on_gpu(LatentVideoUNet(LatentUNetConfig.from_dict(manifest("expert_translation"))))
            levels = 4
            vae = AutoencoderKL(
                down_block_types=("DownEncoderBlock2D",) * levels,
                up_block_types=("UpDecoderBlock2D",) * levels,
                block_out_channels=(128, 256, 512, 512),
                layers_per_block=2,
                latent_channels=4,
            )
            return ExpertTranslation(
                unet, DDIMScheduler(beta_schedule="scaled_linear"), on_gpu(vae), None, EXECUTION
            )
        config = manifest("interpolation" if kind is StageKind.INTERPOLATION else "keyframes")
        if kind is StageKind.SUPER_RESOLUTION:
            config |= SUPER_RESOLUTION
        unet = on_gpu(PixelVideoUNet(PixelUNetConfig.from_dict(config)))
    classes = {StageKind.KEYFRAMES: Keyframes, StageKind.INTERPOLATION: Interpolation}
    return classes.get(kind, SuperResolution)(unet, pixel_scheduler(spec, None), None, EXECUTION)


def main() -> None:
    if not torch.cuda.is_available():
        print("full_size.py: needs a CUDA GPU; nothing was measured")
        return
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    table = Table("stage", "parameters", "s a step", "s at the paper's steps", "peak GiB")
    clip = None
    for kind in PAPER_STEPS:
        width = 1024 if kind is StageKind.EXPERT_TRANSLATION else 4096
        embeddings = PromptEmbeddings(torch.randn(1, 77, width), torch.randn(1, 77, width))
        spec = SHOW_1.resolve(steps={kind: steps})[SHOW_1.kinds.index(kind)]
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        stage = load(kind)
        inputs = StageInputs(spec, "", "", embeddings, (7,), clip)
        stage(inputs, lambda *_: None)  # warms up
        torch.cuda.synchronize()
        start = time.monotonic()
        clip = Clip(stage(inputs, lambda *_: None).frames.clamp(-1, 1).nan_to_num(), spec.fps)
        torch.cuda.synchronize()
        ran = max(int(steps * 0.8), 1) if kind is StageKind.EXPERT_TRANSLATION else steps
        per_step = (time.monotonic() - start) / ran
        table.add_row(
            str(kind),
            f"{sum(p.numel() for p in stage.unet.parameters()) / 1e9:.2f} B",
            f"{per_step:.2f}",
            f"{per_step * PAPER_STEPS[kind]:.0f}",
            f"{torch.cuda.max_memory_allocated() / 2**30:.1f}",
        )
        del stage
    Console().print(table)


if __name__ == "__main__":
    main()
