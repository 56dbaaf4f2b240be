"""A recipe: all that fixes a training run beside its data and its first checkpoint."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Phase:
    """A stretch of training with one optimizer.

    Attributes:
        steps: optimizer steps.
        batch_size: clips (or captions, for a loss on captions alone) per step and process.
        trainable: names the group of parameters that learns. Trainings with a video UNet know `temporal`, its temporal
            layers; `spatial`, the image model within, trained with the temporal layers switched off; and `all`, both. A
            training may know further groups, which are not part of `all`.
        train_text: the text encoder learns too; off where it is a pretrained one.
        learning_rate: of AdamW (Loshchilov and Hutter, 2019), after a linear warm-up.
        cooldown: last steps of the phase over which the learning rate falls to zero.
        crop: height and width that are cut out of the clips at a random place; None takes them whole.
    """

    steps: int
    batch_size: int
    trainable: str = "all"
    train_text: bool = False
    learning_rate: float = 4e-4
    crop: tuple[int, int] | None = None
    cooldown: int = 0

    def learning_rate_at(self, step: int, warmup: int) -> float:
        """Return the learning rate of a step, which is numbered from 0 within the phase."""
        rising = min(1.0, (step + 1) / warmup)
        falling = min(1.0, (self.steps - step) / self.cooldown) if self.cooldown else 1.0
        return self.learning_rate * min(rising, falling)


@dataclass(frozen=True)
class Recipe:
    """The training of one network.

    Attributes:
        phases: one after another.
        caption_dropout: share of captions replaced by "" for classifier-free guidance (Ho and Salimans, 2022).
        max_timestep: timesteps are drawn from 0 to this one, at most 999.
        high_noise_share: share of timesteps drawn from the noisiest quarter, where composition and motion are decided; 0
            draws all uniformly (Ho et al., 2020).
        max_noise_level: noise levels of a low-resolution condition are drawn from 0 to this one (noise conditioning
            augmentation; Ho et al., 2022, "Cascaded Diffusion Models").
        previous_dropout: share of clips without the last frame of the window before, as first windows have none.
        window: frames of the random spans that a latent stage's clips are cut to; None shows it whole clips.
        warmup: steps of each phase over which the learning rate rises.
        ema_decay: of the moving average of the weights, which is what the run results in.
        max_grad_norm: gradients are scaled down to this norm.
        weight_decay: of AdamW.
        accumulation: batches per step.
    """

    phases: tuple[Phase, ...]
    caption_dropout: float = 0.1
    max_timestep: int = 999
    high_noise_share: float = 0.0
    max_noise_level: int = 250
    previous_dropout: float = 0.2
    window: int | None = None
    warmup: int = 100
    ema_decay: float = 0.999
    max_grad_norm: float = 1.0
    weight_decay: float = 0.01
    accumulation: int = 1

    @property
    def train_text(self) -> bool:
        """Return whether the text encoder learns in any phase."""
        return any(phase.train_text for phase in self.phases)

    @property
    def steps(self) -> int:
        """Steps of all phases."""
        return sum(phase.steps for phase in self.phases)
