"""Three ways to the last resolution, as in Show-1's Table 6, at small size and equal numbers of training steps.

*Concatenation* learns from pure noise with the low-resolution frames beside it (the plain upsampler). *Changed input*
is a text-to-video model of latents, given the noised low-resolution clip to start from. *Expert* is the same model
after half of its training, which then learned timesteps up to 900 alone. The last two start at two strengths.

Writes docs/findings/upsamplers.csv and .png. Run `python benchmarks/findings/upsamplers.py [STEPS] [CLIPS]`; the
trainings are kept in runs/findings and go on if they were cut.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import TypeVar, cast

import torch
from einops import rearrange
from rich.progress import track
from tables import frames_sheet, psnr, write_rows
from torch import Generator, Tensor
from torch.nn import functional
from trainings import run_to_end

from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.clip import Clip
from cascade.models.diffusion.sampling import denoise, draw_noise, seeded_generators
from cascade.models.evaluation.distances import frechet_distance
from cascade.models.evaluation.feature_networks import FeatureNetworks
from cascade.models.families.shapes.analyser import agreement, analyse
from cascade.models.families.shapes.captions import canonical_caption
from cascade.models.families.shapes.moving_shapes import MovingShapes, Sample
from cascade.models.families.shapes.random_checkpoints import EXPERT_TRANSLATION, LATENT_CHANNELS
from cascade.models.families.show1.expert_translation import resize_8bit
from cascade.models.families.show1.latent_training import ExpertTranslationTraining
from cascade.models.families.show1.latent_unet import LatentVideoUNet
from cascade.models.families.show1.training import downscale
from cascade.models.presets.shapes import SHAPES
from cascade.models.presets.show1 import ExpertTranslationOptions
from cascade.models.presets.spec import StageSpec
from cascade.models.stage import StageInputs
from cascade.models.training.batch import Batch
from cascade.models.training.diffusion import noised, prediction_loss
from cascade.models.training.recipe import Phase, Recipe
from cascade.workers.settings import get_settings

SPEC = cast("StageSpec[ExpertTranslationOptions]", SHAPES.stage("expert-translation"))
SCALE = 4
"""The low-resolution frames are so much narrower and lower than the last ones."""
FOLD = 8 // SCALE
"""They have so many times the latents' width."""
PREDICTION_TYPE = "v_prediction"
"""Of all three; the paper's plain upsampler, SDx4, has it too. A noise prediction says little of a clip in pure noise."""
LAST_TIMESTEP, EXPERT_MAX_TIMESTEP = 999, 900
STEPS, CLIPS = 1000, 8
CONCATENATION_STEPS = 20
STRENGTHS = (0.3, 0.8)
"""The preset's, and the paper's (`show-1`)."""
TRAINING_FRAMES, BATCH, CROP = 5, 4, (64, 128)
SHEET_FRAME = 14
OUTPUT = Path("docs/findings")


class Translation(ExpertTranslationTraining):
    """A text-to-video model of latents, from nothing."""

    extra_channels = 0

    def prepare(self) -> None:
        """Begin with an untrained network and an untrained text encoder."""
        channels = LATENT_CHANNELS + self.extra_channels
        self.unet = LatentVideoUNet(replace(EXPERT_TRANSLATION, in_channels=channels))
        self.scheduler.register_to_config(prediction_type=PREDICTION_TYPE)
        for module in self.captions.encoder.modules():
            if hasattr(module, "reset_parameters"):
                module.reset_parameters()

    def upscale(self, inputs: StageInputs[ExpertTranslationOptions]) -> Tensor:
        """Upscale the previous clip: (1, frames, 3, height, width), about [-1, 1]."""
        return self.stage()(inputs, ignore_step).frames


class Concatenation(Translation):
    """The latent UNet with the low-resolution frames, folded to the latents' size, as further input channels."""

    extra_channels = 3 * FOLD**2

    def forward(self, batch: Batch, _phase: Phase, generator: Generator) -> Tensor:
        """Compute the diffusion loss of the latents of clips (batch, frames, 3, height, width): a scalar."""
        folded = rearrange(batch.frames, "b f c h w -> (b f) c h w")
        with torch.no_grad():
            latents = self.vae.encode(folded).latent_dist.mean * self.vae.config.scaling_factor
        clean = rearrange(latents, "(b f) c h w -> b c f h w", b=batch.frames.shape[0])
        sample, timesteps, target = noised(clean, self.recipe, self.scheduler, generator)
        condition = latent_sized(downscale(batch.frames, SCALE))
        inputs = torch.cat([sample, condition], dim=1)
        return prediction_loss(self.unet(inputs, timesteps, self.text(batch, generator)), target)

    @torch.inference_mode()
    def upscale(self, inputs: StageInputs[ExpertTranslationOptions]) -> Tensor:
        """Upscale from pure noise: no more of the clip is known than its low resolution beside it."""
        condition = latent_sized(inputs.previous_frames(SPEC.frames))
        generators = seeded_generators(inputs.seeds)
        shape = (LATENT_CHANNELS, SPEC.frames, SPEC.height // 8, SPEC.width // 8)
        noise = draw_noise(shape, generators, torch.device("cpu"))
        self.scheduler.set_timesteps(CONCATENATION_STEPS)

        def predict(sample: Tensor, timestep: Tensor) -> Tensor:
            prediction: Tensor = self.unet(
                torch.cat([sample, condition], dim=1), timestep, inputs.embeddings.prompt
            )
            return prediction

        timesteps = self.scheduler.timesteps
        sample = denoise(predict, noise, self.scheduler, timesteps, generators, ignore_step)
        latents = rearrange(sample, "b c f h w -> (b f) c h w") / self.vae.config.scaling_factor
        frames = torch.cat([self.vae.decode(latent).sample for latent in latents.split(1)])
        return frames[None]


TrainingT = TypeVar("TrainingT", bound=Translation)


@dataclass(frozen=True)
class Upsampler:
    """A way to the last resolution; without a training it is bicubic."""

    name: str
    training: Translation | None = None
    strength: float = 1.0

    def __call__(self, sample: Sample, seed: int) -> Tensor:
        """Restore the clip of a sample from a quarter of its width and height: (frames, 3, height, width) in [-1, 1]."""
        low = Clip(downscale(sample.frames[None], SCALE), SPEC.fps)
        if self.training is None:
            return resize_8bit(low, SPEC.height, SPEC.width)[0].clamp(-1, 1)
        prompt = canonical_caption(sample.scene)
        options = ExpertTranslationOptions(strength=self.strength)
        spec = replace(SPEC, guidance_scale=1.0, options=options)
        embeddings = self.training.captions.text.encode(prompt, "")
        inputs = StageInputs(spec, prompt, "", embeddings, (seed,), low)
        return self.training.upscale(inputs)[0].float().clamp(-1, 1)


def main() -> None:
    """Train the models, upscale clips in all ways, and write the figures."""
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else STEPS
    count = int(sys.argv[2]) if len(sys.argv) > 2 else CLIPS
    upsamplers = train_all(steps)
    clips = MovingShapes("train", SPEC.frames, SPEC.height, SPEC.width, 50_000)
    samples, networks = [clips[index] for index in range(count)], FeatureNetworks()
    references = torch.stack([networks.measure(sample.frames, "").clip for sample in samples])
    rows, sheet_frames = [], []
    for upsampler in upsamplers:
        restored = [upsampler(sample, seed) for seed, sample in enumerate(track(samples, upsampler.name))]
        rows.append(figures(upsampler.name, restored, samples, networks, references))
        sheet_frames.append(restored[0][SHEET_FRAME])
    write_rows(OUTPUT / "upsamplers.csv", OUTPUT / "upsamplers.png", rows)
    frames_sheet(torch.stack(sheet_frames)).save(OUTPUT / "upsamplers_frames.png")


def train_all(steps: int) -> list[Upsampler]:
    """Train all models for as many steps."""
    half, rest = steps // 2, steps - steps // 2
    start = train("half", Translation, half, LAST_TIMESTEP).state_dict()
    concatenation = train("concatenation", Concatenation, steps, LAST_TIMESTEP)
    changed = train("changed-input", Translation, rest, LAST_TIMESTEP, start, seed=1)
    expert = train("expert", Translation, rest, EXPERT_MAX_TIMESTEP, start, seed=1)
    upsamplers = [Upsampler("bicubic"), Upsampler("concatenation", concatenation)]
    for strength in STRENGTHS:
        upsamplers.append(Upsampler(f"changed input, {strength}", changed, strength))
        upsamplers.append(Upsampler(f"changed input, expert, {strength}", expert, strength))
    return upsamplers


def train(
    name: str,
    kind: type[TrainingT],
    steps: int,
    max_timestep: int,
    start: dict[str, Tensor] | None = None,
    seed: int = 0,
) -> TrainingT:
    """Run the training of that name to its end; its networks hold the averaged weights.

    Args:
        start: weights to begin with; None begins with random ones.
    """
    phase = Phase(steps, BATCH, train_text=True, crop=CROP, cooldown=steps // 3)
    recipe = Recipe(phases=(phase,), max_timestep=max_timestep)
    torch.manual_seed(0)
    stage = kind.load(SPEC, recipe, Checkpoints(get_settings().checkpoints_dir), SHAPES)
    stage.prepare()
    if start is not None:
        stage.load_state_dict(start)
    clips = MovingShapes("train", TRAINING_FRAMES, SPEC.height, SPEC.width, 1 + seed)
    run_to_end(name, stage, clips, seed)
    return stage


def figures(
    name: str,
    restored: Sequence[Tensor],
    samples: Sequence[Sample],
    networks: FeatureNetworks,
    references: Tensor,
) -> dict[str, str | float]:
    """Compute the figures of an upsampler.

    Args:
        restored: a clip (frames, 3, height, width) in [-1, 1] of each sample.
        references: features of the true clips, (count, d).
    """
    pairs = list(zip(restored, samples, strict=True))
    measurements = [networks.measure(clip, canonical_caption(sample.scene)) for clip, sample in pairs]
    features = torch.stack([each.clip for each in measurements])
    correct = [agreement(analyse(clip), sample.scene)["all_correct"] for clip, sample in pairs]
    return {
        "upsampler": name,
        "all correct": fmean(correct),
        "text-video similarity": fmean(each.similarity for each in measurements),
        "PSNR": fmean(psnr(clip, sample.frames) for clip, sample in pairs),
        "perceptual distance": fmean(
            networks.perceptual_distance(clip, sample.frames) for clip, sample in pairs
        ),
        "FVD (small network)": frechet_distance(features, references),
    }


def latent_sized(low: Tensor) -> Tensor:
    """Fold low-resolution frames (batch, frames, 3, h, w) to channels of the latents: (batch, 12, frames, h/2, w/2)."""
    folded = functional.pixel_unshuffle(rearrange(low, "b f c h w -> (b f) c h w"), FOLD)
    return rearrange(folded, "(b f) c h w -> b c f h w", b=low.shape[0])


def ignore_step(_step: int, _steps: int) -> None:
    """Progress that nobody watches."""


if __name__ == "__main__":
    main()
