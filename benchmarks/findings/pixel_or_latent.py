"""Keyframes in pixels or in latents, as in Show-1's Table 4, at small size: which shows more of what was asked?

Two image models of frames of 48x32, the one of pixels, the other of the shipped autoencoder's latents (f = 8, so 6x4):
the same UNet but for its first and last convolution, the same frozen text encoder, the same pictures, steps and
schedule. Neither has a caption prior, so that words come in by attention alone. Only single frames, thus no motion. What
the autoencoder itself does to rendered frames is the latent model's ceiling.

Writes docs/findings/pixel_or_latent.csv and .png. Run `python benchmarks/findings/pixel_or_latent.py [STEPS] [PROMPTS]`;
the trainings are kept in runs/findings and go on if they were cut.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import TypeVar, cast

import torch
from diffusers import AutoencoderKL, DDPMScheduler
from einops import rearrange
from rich.progress import track
from tables import frames_sheet, write_rows
from torch import Generator, Tensor
from trainings import run_to_end

from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.diffusion.guidance import guided_predictor
from cascade.models.diffusion.sampling import denoise, draw_noise, seeded_generators
from cascade.models.families.shapes.analyser import agreement, analyse
from cascade.models.families.shapes.captions import canonical_caption
from cascade.models.families.shapes.moving_shapes import MovingShapes, Sample
from cascade.models.families.shapes.random_checkpoints import KEYFRAMES, LATENT_CHANNELS, PIXEL_UNET
from cascade.models.families.shapes.training import SmallKeyframesTraining
from cascade.models.families.shapes.unet import ShapesUNet, ShapesUNetConfig
from cascade.models.presets.shapes import SHAPES
from cascade.models.presets.show1 import KeyframesOptions
from cascade.models.presets.spec import StageSpec
from cascade.models.training.batch import Batch
from cascade.models.training.recipe import Phase, Recipe
from cascade.models.training.stage_training import CPU
from cascade.workers.settings import get_settings

SPEC = cast("StageSpec[KeyframesOptions]", SHAPES.stage("keyframes"))
AUTOENCODER = SHAPES.stage("expert-translation").checkpoint
HEIGHT, WIDTH, FACTOR = 32, 48, 8
STEPS, PROMPTS, BATCH, GUIDANCE = 1500, 96, 32, 1.5
ATTRIBUTES = ("colour", "shape", "background", "relation")
SHEET_PICTURES = 8
OUTPUT = Path("docs/findings")

TrainingT = TypeVar("TrainingT", bound="PixelImages")


class PixelImages(SmallKeyframesTraining):
    """An image model of pixels."""

    channels, patch_size = 3, 2
    sample_shape = (3, 1, HEIGHT, WIDTH)

    def prepare(self, _checkpoints: Checkpoints) -> None:
        """Begin with an untrained network without a caption prior."""
        torch.manual_seed(0)
        unet = replace(PIXEL_UNET, in_channels=self.channels, out_channels=self.channels)
        across = KEYFRAMES.attention_across_space
        self.unet = ShapesUNet(
            ShapesUNetConfig.around(unet, patch_size=self.patch_size, attention_across_space=across)
        )

    def pictures(self, samples: Tensor) -> Tensor:
        """Turn what the network samples, (batch, channels, height, width), into pixels (batch, 3, height, width)."""
        return samples


class LatentImages(PixelImages):
    """The same training on the autoencoder's latents of the frames, scaled to unit variance."""

    channels, patch_size = LATENT_CHANNELS, 1
    sample_shape = (LATENT_CHANNELS, 1, HEIGHT // FACTOR, WIDTH // FACTOR)
    vae: AutoencoderKL

    def prepare(self, checkpoints: Checkpoints) -> None:
        super().prepare(checkpoints)
        self.scheduler = DDPMScheduler.from_config(self.scheduler.config, clip_sample=False)
        self.vae = checkpoints.vae(AUTOENCODER, CPU).requires_grad_(False)
        clips = MovingShapes("train", 1, HEIGHT, WIDTH, 7)
        self.scale = 1.0
        self.scale = 1 / float(self.encode(first_frames([clips[index] for index in range(256)])).std())

    def forward(self, batch: Batch, phase: Phase, generator: Generator) -> Tensor:
        """Compute the diffusion loss of the latents of clips (batch, 1, 3, height, width): a scalar."""
        latents = self.encode(batch.frames[:, 0])
        return super().forward(replace(batch, frames=latents[:, None]), phase, generator)

    @torch.no_grad()
    def encode(self, pictures: Tensor) -> Tensor:
        """Encode pictures (batch, 3, height, width) in [-1, 1]: (batch, channels, height / 8, width / 8)."""
        latents: Tensor = self.vae.encode(pictures).latent_dist.mean
        return self.scale * latents

    @torch.no_grad()
    def pictures(self, samples: Tensor) -> Tensor:
        decoded: Tensor = self.vae.decode(samples / self.scale).sample
        return decoded


def main() -> None:
    """Train both, draw a picture of each prompt with each, and write the shares."""
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else STEPS
    count = int(sys.argv[2]) if len(sys.argv) > 2 else PROMPTS
    clips = MovingShapes("train", 1, HEIGHT, WIDTH, 50_000)
    samples = [clips[index] for index in range(count)]
    pixel, latent = train("pixel", PixelImages, steps), train("latent", LatentImages, steps)
    through = latent.pictures(latent.encode(first_frames(samples))).clamp(-1, 1)
    pictures = {
        "rendered, through the autoencoder": list(through),
        "pixel": generate_all(pixel, samples, "pixel"),
        "latent": generate_all(latent, samples, "latent"),
    }
    rows = [shares(name, each, samples) for name, each in pictures.items()]
    write_rows(OUTPUT / "pixel_or_latent.csv", OUTPUT / "pixel_or_latent.png", rows)
    for name, each in pictures.items():
        sheet = frames_sheet(torch.stack(each[:SHEET_PICTURES]))
        sheet.save(OUTPUT / f"pixel_or_latent_{name.split(',')[0]}.png")


def first_frames(samples: Sequence[Sample]) -> Tensor:
    """Stack the first frames of samples: (batch, 3, height, width) in [-1, 1]."""
    return torch.stack([sample.frames[0] for sample in samples])


def train(name: str, kind: type[TrainingT], steps: int) -> TrainingT:
    """Run the training of that name to its end; its networks hold the averaged weights."""
    phase = Phase(steps, BATCH, "spatial", learning_rate=1e-3, cooldown=steps // 3)
    recipe = Recipe(phases=(phase,), high_noise_share=0.5)
    checkpoints = Checkpoints(get_settings().checkpoints_dir)
    stage = kind.from_checkpoint(SPEC, recipe, checkpoints)
    stage.prepare(checkpoints)
    run_to_end(name, stage, MovingShapes("train", 1, HEIGHT, WIDTH, 1))
    return stage.requires_grad_(False)


def generate_all(stage: PixelImages, samples: Sequence[Sample], title: str) -> list[Tensor]:
    """Generate a picture (3, height, width) in [-1, 1] for the caption of each sample."""
    return [
        generate(stage, canonical_caption(sample.scene), seed)
        for seed, sample in enumerate(track(samples, title))
    ]


@torch.inference_mode()
def generate(stage: PixelImages, prompt: str, seed: int) -> Tensor:
    """Generate one picture (3, height, width) in [-1, 1]."""
    generators = seeded_generators((seed,))
    stage.scheduler.set_timesteps(SPEC.steps)
    predict = guided_predictor(stage.unet, stage.captions.text.encode(prompt, ""), GUIDANCE)
    noise = draw_noise(stage.sample_shape, generators, torch.device("cpu"))
    timesteps = stage.scheduler.timesteps
    sample = denoise(predict, noise, stage.scheduler, timesteps, generators, lambda _k, _n: None)
    return stage.pictures(rearrange(sample, "1 c 1 h w -> 1 c h w"))[0].clamp(-1, 1)


def shares(name: str, pictures: Sequence[Tensor], samples: Sequence[Sample]) -> dict[str, str | float]:
    """Compute the shares of pictures (3, height, width) that show each attribute of their scene."""
    checks = [
        agreement(analyse(picture.expand(2, -1, -1, -1)), sample.scene)  # the analyser takes clips
        for picture, sample in zip(pictures, samples, strict=True)
    ]
    values = {
        attribute: fmean(check[attribute] for check in checks if attribute in check)
        for attribute in ATTRIBUTES
    }
    return {"keyframes": name, **values}


if __name__ == "__main__":
    main()
