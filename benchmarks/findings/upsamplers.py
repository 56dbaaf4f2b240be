"""Three ways to the last resolution, as in Show-1's Table 6, at small size and equal numbers of training steps.

*Concatenation* learns from pure noise with the low-resolution frames beside it (the plain upsampler). *Changed input*
is a text-to-video model of latents, given the noised low-resolution clip to start from. *Expert* is the same model
after half of its training, which then learned timesteps up to 900 alone. The last two start at two strengths.

Writes docs/findings/upsamplers.csv and .png. Run `python benchmarks/findings/upsamplers.py [STEPS] [CLIPS]`; the
trainings are kept in runs/findings and go on if they were cut.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from einops import rearrange
from rich.progress import Progress, track
from tables import write_rows
from torch import Generator, Tensor
from torch.nn import functional

from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.clip import Clip
from cascade.models.diffusion.sampling import denoise, draw_noise, seeded_generators
from cascade.models.evaluation.distances import frechet_distance
from cascade.models.evaluation.feature_networks import FeatureNetworks
from cascade.models.families.shapes.analyser import agrees, analyse
from cascade.models.families.shapes.moving_shapes import MovingShapes, Sample, canonical_caption
from cascade.models.families.shapes.random_checkpoints import EXPERT_TRANSLATION, LATENT_CHANNELS
from cascade.models.families.show1.expert_translation import ExpertTranslation, resize_8bit
from cascade.models.families.show1.latent_unet import LatentVideoUNet
from cascade.models.families.show1.training import ExpertTranslationTraining
from cascade.models.media.contact_sheet import contact_sheet
from cascade.models.presets.table import SHAPES, ExpertTranslationOptions, StageKind
from cascade.models.runtime.execution import Execution
from cascade.models.stage import StageInputs
from cascade.models.training.batch import Batch
from cascade.models.training.diffusion import noised, prediction_loss
from cascade.models.training.loop import Rhythm, Training
from cascade.models.training.recipe import Phase, Recipe
from cascade.workers.settings import get_settings

SPEC = SHAPES.stage(StageKind.EXPERT_TRANSLATION)
SCALE = 4
"""The low-resolution frames are so much narrower and lower than the last ones."""
FOLD = 8 // SCALE
"""They have so many times the latents' width."""
PREDICTION_TYPE = "v_prediction"
"""Of all three; the paper's plain upsampler, SDx4, has it too. A noise prediction says little of a clip in pure noise."""
EXPERT_MAX_TIMESTEP = 900
STEPS, CLIPS = 1000, 8
CONCATENATION_STEPS = 20
STRENGTHS = (0.3, 0.8)
"""The preset's, and the paper's (`show-1`)."""
TRAINING_FRAMES, BATCH, CROP = 5, 4, (64, 128)
RUNS, OUTPUT = Path("runs/findings"), Path("docs/findings")


class ConcatenationTraining(ExpertTranslationTraining):
    """The latent UNet with the low-resolution frames, folded to the latents' size, as further input channels."""

    def forward(self, batch: Batch, _: Phase, generator: Generator) -> Tensor:
        folded = rearrange(batch.frames, "b f c h w -> (b f) c h w")
        with torch.no_grad():
            latents = self.vae.encode(folded).latent_dist.mean * self.vae.config.scaling_factor
        clean = rearrange(latents, "(b f) c h w -> b c f h w", b=batch.frames.shape[0])
        sample, timesteps, target = noised(clean, self.recipe, self.scheduler, generator)
        low = functional.interpolate(folded, scale_factor=1 / SCALE, mode="area")
        inputs = torch.cat([sample, beside(low, batch.frames.shape[0])], dim=1)
        return prediction_loss(self.unet(inputs, timesteps, self.text(batch, generator)), target)


def beside(low: Tensor, batch: int) -> Tensor:
    """Low-resolution frames (batch·frames, 3, h, w) as channels of the latents: (batch, 12, frames, h/2, w/2)."""
    return rearrange(functional.pixel_unshuffle(low, FOLD), "(b f) c h w -> b c f h w", b=batch)


def trained(
    name: str, kind: Any, steps: int, max_timestep: int, start: dict[str, Tensor] | None, seed: int = 0
) -> Any:
    """A training of that name, run to its end; its networks hold the averaged weights."""
    recipe = Recipe(
        phases=(Phase(steps, BATCH, train_text=True, crop=CROP, cooldown=steps // 3),),
        max_timestep=max_timestep,
    )
    checkpoints = Checkpoints(get_settings().checkpoints_dir)
    torch.manual_seed(0)
    stage = kind.load(SPEC, recipe, checkpoints)
    channels = LATENT_CHANNELS + (3 * FOLD**2 if kind is ConcatenationTraining else 0)
    stage.unet = LatentVideoUNet(replace(EXPERT_TRANSLATION, in_channels=channels))
    stage.scheduler.register_to_config(prediction_type=PREDICTION_TYPE)
    for encoder in stage.captions.encoder.modules():
        if hasattr(encoder, "reset_parameters"):
            encoder.reset_parameters()
    if start is not None:
        stage.load_state_dict(start)
    folder = RUNS / f"{name}-{steps}"
    clips = MovingShapes("train", TRAINING_FRAMES, SPEC.height, SPEC.width, 1 + seed)
    with Progress() as bar:
        task = bar.add_task(name, total=steps)
        run = Training(stage, clips, folder, None, seed=seed, rhythm=Rhythm(100, steps + 1))
        run.run(lambda p: bar.update(task, completed=p.step))
    run.take_average()
    return stage


@torch.inference_mode()
def upscale_by_concatenation(stage: Any, translation: ExpertTranslation, inputs: StageInputs) -> Tensor:
    """From pure noise; no more of a clip is known than its low resolution beside it."""
    low = inputs.previous_frames(SPEC.frames)
    generators = seeded_generators(inputs.seeds)
    shape = (LATENT_CHANNELS, SPEC.frames, SPEC.height // 8, SPEC.width // 8)
    noise, condition = draw_noise(shape, generators, torch.device("cpu")), beside(low[0], 1)
    scheduler = stage.scheduler
    scheduler.set_timesteps(CONCATENATION_STEPS)
    text = inputs.embeddings.prompt

    def predict(sample: Tensor, timestep: Tensor) -> Tensor:
        return stage.unet(torch.cat([sample, condition], dim=1), timestep, text)

    sample = denoise(predict, noise, scheduler, scheduler.timesteps, generators, lambda *_: None)
    return translation._decode(rearrange(sample, "b c f h w -> b f c h w"))[0]


def upscale(stage: Any, strength: float, sample: Sample, seed: int) -> Tensor:
    """The clip of a sample from a quarter of its width and height: (frames, 3, height, width) in [-1, 1]."""
    low = Clip(functional.interpolate(sample.frames, scale_factor=1 / SCALE, mode="area")[None], SPEC.fps)
    if stage is None:
        return resize_8bit(low, SPEC.height, SPEC.width)[0].float().clamp(-1, 1)
    prompt = canonical_caption(sample.scene)
    text = stage.captions.text
    translation = ExpertTranslation(stage.unet, stage.scheduler, stage.vae, text, Execution())
    spec = replace(SPEC, guidance_scale=1.0, options=ExpertTranslationOptions(strength=strength))
    inputs = StageInputs(spec, prompt, "", text.encode(prompt, ""), (seed,), low)
    if isinstance(stage, ConcatenationTraining):
        return upscale_by_concatenation(stage, translation, inputs).float().clamp(-1, 1)
    return translation(inputs, lambda *_: None).frames[0].float().clamp(-1, 1)


def main() -> None:
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else STEPS
    count = int(sys.argv[2]) if len(sys.argv) > 2 else CLIPS
    last = 999
    half = trained("half", ExpertTranslationTraining, steps // 2, last, None).state_dict()
    concatenation = trained("concatenation", ConcatenationTraining, steps, last, None)
    rest = steps - steps // 2
    changed = trained("changed-input", ExpertTranslationTraining, rest, last, half, seed=1)
    expert = trained("expert", ExpertTranslationTraining, rest, EXPERT_MAX_TIMESTEP, half, seed=1)
    ways: dict[str, tuple[Any, float]] = {"bicubic": (None, 0), "concatenation": (concatenation, 1)}
    for strength in STRENGTHS:
        ways[f"changed input, {strength}"] = (changed, strength)
        ways[f"changed input, expert, {strength}"] = (expert, strength)

    networks, clips = FeatureNetworks(), MovingShapes("train", SPEC.frames, SPEC.height, SPEC.width, 50_000)
    rows, sheets, real = [], [], [clips[index] for index in range(count)]
    references = torch.stack([networks.judge(sample.frames, "").clip for sample in real])
    for name, (stage, strength) in ways.items():
        seen, right, errors, perceptual = [], [], [], []
        for index, sample in enumerate(track(real, name)):
            frames = upscale(stage, strength, sample, index)
            seen.append(networks.judge(frames, canonical_caption(sample.scene)))
            right.append(agrees(analyse(frames), sample.scene)["all_correct"])
            errors.append(-10 * torch.log10((frames - sample.frames).square().mean() / 4).item())
            perceptual.append(networks.perceptual_distance(frames, sample.frames))
            if index == 0:
                sheets.append(frames[14])
        rows.append(
            {
                "upsampler": name,
                "all correct": fmean(right),
                "text-video similarity": fmean(judged.similarity for judged in seen),
                "PSNR": fmean(errors),
                "perceptual distance": fmean(perceptual),
                "FVD (small network)": frechet_distance(
                    torch.stack([judged.clip for judged in seen]), references
                ),
            }
        )
    write_rows(OUTPUT / "upsamplers.csv", OUTPUT / "upsamplers.png", rows)
    frames = ((torch.stack(sheets).permute(0, 2, 3, 1) + 1) * 127.5).round().byte()
    contact_sheet(frames).save(OUTPUT / "upsamplers_frames.png")


if __name__ == "__main__":
    main()
