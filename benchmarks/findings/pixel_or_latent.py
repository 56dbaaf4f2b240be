"""Keyframes in pixels or in latents, as in Show-1's Table 4, at small size: which shows more of what was asked?

Two image models of frames of 48x32, the one of pixels, the other of the shipped autoencoder's latents (f = 8, so 6x4):
the same UNet but for its first and last convolution, the same frozen text encoder, the same pictures, steps and
schedule. Neither has a layout, so that words come in by attention alone. Only single frames, thus no motion. What the
autoencoder itself does to rendered frames is the latent model's ceiling.

Writes docs/findings/pixel_or_latent.csv and .png. Run `python benchmarks/findings/pixel_or_latent.py [STEPS] [PROMPTS]`;
the trainings are kept in runs/findings and go on if they were cut.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from diffusers import DDPMScheduler
from einops import rearrange
from rich.progress import Progress, track
from tables import write_rows
from torch import Generator, Tensor

from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.diffusion.guidance import guided_predictor
from cascade.models.diffusion.sampling import denoise, draw_noise, seeded_generators
from cascade.models.families.shapes.analyser import agrees, analyse
from cascade.models.families.shapes.moving_shapes import MovingShapes, Sample, canonical_caption
from cascade.models.families.shapes.random_checkpoints import KEYFRAMES, LATENT_CHANNELS
from cascade.models.families.show1.pixel_unet import PixelVideoUNet
from cascade.models.families.show1.training import KeyframesTraining
from cascade.models.media.contact_sheet import contact_sheet
from cascade.models.presets.table import SHAPES, StageKind
from cascade.models.runtime.execution import Execution
from cascade.models.training.batch import Batch
from cascade.models.training.loop import Rhythm, Training
from cascade.models.training.recipe import Phase, Recipe
from cascade.workers.settings import get_settings

SPEC, EXPERT = SHAPES.stage(StageKind.KEYFRAMES), SHAPES.stage(StageKind.EXPERT_TRANSLATION)
HEIGHT, WIDTH, FACTOR = 32, 48, 8
STEPS, PROMPTS, BATCH, GUIDANCE = 1500, 96, 32, 1.5
ATTRIBUTES = ("colour", "shape", "background", "relation")
RUNS, OUTPUT = Path("runs/findings"), Path("docs/findings")


class InLatents(KeyframesTraining):
    """The same training on what the autoencoder makes of the frames, scaled to unit variance."""

    def autoencoder(self, vae: Any) -> None:
        self.vae = vae.requires_grad_(False)
        pictures = frames_of([MovingShapes("train", 1, HEIGHT, WIDTH, 7)[index] for index in range(256)])
        with torch.no_grad():
            self.scale = 1 / vae.encode(pictures).latent_dist.mean.std().item()

    def forward(self, batch: Batch, phase: Phase, generator: Generator) -> Tensor:
        with torch.no_grad():
            latents = self.scale * self.vae.encode(batch.frames[:, 0]).latent_dist.mean
        return super().forward(replace(batch, frames=latents[:, None]), phase, generator)

    @torch.no_grad()
    def pictures(self, latents: Tensor) -> Tensor:
        return self.vae.decode(latents / self.scale).sample


def frames_of(samples: list[Sample]) -> Tensor:
    return torch.stack([sample.frames[0] for sample in samples])


def trained(name: str, kind: type[KeyframesTraining], steps: int) -> KeyframesTraining:
    """A training of that name, run to its end; its networks hold the averaged weights."""
    recipe = Recipe(
        (Phase(steps, BATCH, "spatial", learning_rate=1e-3, cooldown=steps // 3),), high_noise_share=0.5
    )
    checkpoints = Checkpoints(get_settings().checkpoints_dir)
    stage = kind.load(SPEC, recipe, checkpoints)
    torch.manual_seed(0)
    latent = isinstance(stage, InLatents)
    channels, patch = (LATENT_CHANNELS, 1) if latent else (3, 2)
    stage.unet = PixelVideoUNet(
        replace(KEYFRAMES, layout=None, in_channels=channels, out_channels=channels, patch_size=patch)
    )
    if isinstance(stage, InLatents):
        stage.autoencoder(checkpoints.vae(EXPERT.checkpoint, Execution(device="cpu")))
        stage.scheduler = DDPMScheduler.from_config(stage.scheduler.config, clip_sample=False)
    folder = RUNS / f"{name}-{steps}"
    with Progress() as bar:
        task = bar.add_task(name, total=steps)
        clips = MovingShapes("train", 1, HEIGHT, WIDTH, 1)
        run = Training(stage, clips, folder, None, rhythm=Rhythm(100, steps + 1))
        run.run(lambda p: bar.update(task, completed=p.step))
    run.take_average()
    return stage.requires_grad_(False)


@torch.inference_mode()
def drawn(stage: KeyframesTraining, prompt: str, seed: int) -> Tensor:
    """One picture (3, height, width)."""
    latent = isinstance(stage, InLatents)
    shape = (LATENT_CHANNELS, 1, HEIGHT // FACTOR, WIDTH // FACTOR) if latent else (3, 1, HEIGHT, WIDTH)
    generators = seeded_generators((seed,))
    stage.scheduler.set_timesteps(SPEC.steps)
    predict = guided_predictor(stage.unet, stage.prompts.encode(prompt, ""), GUIDANCE)
    noise = draw_noise(shape, generators, torch.device("cpu"))
    made = denoise(predict, noise, stage.scheduler, stage.scheduler.timesteps, generators, lambda *_: None)
    made = rearrange(made, "1 c 1 h w -> 1 c h w")
    return (stage.pictures(made) if isinstance(stage, InLatents) else made)[0].clamp(-1, 1)


def judged(name: str, pictures: list[Tensor], samples: list[Sample]) -> dict[str, str | float]:
    """The shares of pictures that show each attribute of their scene; one still frame each."""
    shown = [
        agrees(analyse(picture.expand(2, -1, -1, -1)), sample.scene)
        for picture, sample in zip(pictures, samples, strict=True)
    ]
    return {"keyframes": name} | {
        attribute: fmean(said[attribute] for said in shown if attribute in said) for attribute in ATTRIBUTES
    }


def main() -> None:
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else STEPS
    count = int(sys.argv[2]) if len(sys.argv) > 2 else PROMPTS
    clips = MovingShapes("train", 1, HEIGHT, WIDTH, 50_000)
    samples = [clips[index] for index in range(count)]
    pixel, latent = trained("pixel", KeyframesTraining, steps), trained("latent", InLatents, steps)
    assert isinstance(latent, InLatents)
    with torch.no_grad():
        latents = latent.scale * latent.vae.encode(frames_of(samples)).latent_dist.mean
    made = {
        "rendered, through the autoencoder": list(latent.pictures(latents).clamp(-1, 1)),
        "pixel": [],
        "latent": [],
    }
    for name, stage in (("pixel", pixel), ("latent", latent)):
        for index, sample in enumerate(track(samples, name)):
            made[name].append(drawn(stage, canonical_caption(sample.scene), index))
    rows = [judged(name, pictures, samples) for name, pictures in made.items()]
    write_rows(OUTPUT / "pixel_or_latent.csv", OUTPUT / "pixel_or_latent.png", rows)
    for name, pictures in made.items():
        sheet = contact_sheet(((torch.stack(pictures[:8]).permute(0, 2, 3, 1) + 1) * 127.5).round().byte())
        sheet.save(OUTPUT / f"pixel_or_latent_{name.split(',')[0]}.png")


if __name__ == "__main__":
    main()
