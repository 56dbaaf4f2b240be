"""The samplers of the published versions."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from diffusers import DDPMScheduler

from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.diffusion.schedules import Scheduler
from cascade.models.families.fusion_frames.respaced_ddpm import RespacedDDPM
from cascade.models.presets.kandinsky_video import Sampler
from cascade.models.presets.spec import StageSpec


def make_sampler(sampler: Sampler) -> Scheduler:
    """Make the scheduler of a published version."""
    if sampler.kind == "respaced":
        return RespacedDDPM(sampler.prediction)
    scheduler: Scheduler = DDPMScheduler(
        num_train_timesteps=1000,
        beta_schedule="squaredcos_cap_v2",
        prediction_type=sampler.prediction,
        variance_type="fixed_small_log",
        rescale_betas_zero_snr=True,
        timestep_spacing=sampler.spacing,
        thresholding=True,  # with this largest value it clamps to -1 ... 1
        dynamic_thresholding_ratio=0.995,
        sample_max_value=1.0,
    )
    return scheduler


def stage_sampler(spec: StageSpec[Any], checkpoints: Checkpoints) -> Scheduler:
    """Return the sampler that the stage's options name, else the spec's schedule, else the checkpoint's own scheduler."""
    if spec.options.sampler is not None:
        return make_sampler(spec.options.sampler)
    if spec.schedule is not None:
        scheduler: Scheduler = DDPMScheduler(**asdict(spec.schedule))
        return scheduler
    return checkpoints.scheduler(spec.checkpoint)


def scheduler_parts(spec: StageSpec[Any]) -> tuple[str, ...]:
    """Return the parts of the checkpoint that `stage_sampler` reads."""
    return ("scheduler",) if spec.options.sampler is None and spec.schedule is None else ()
