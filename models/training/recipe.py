"""How each stage of each preset is trained: phases of so many steps. A new preset is one more entry in RECIPES."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Trainable = Literal["all", "spatial", "temporal", "layout", "reading"]


@dataclass(frozen=True)
class Phase:
    """A stretch of training with one optimizer.

    Attributes:
        steps: optimizer steps.
        batch_size: clips (of `reading`: captions) per step and process.
        trainable: `spatial` trains the image model within, frame by frame, its temporal layers switched off;
            `temporal` trains the temporal layers alone, as Show-1 does (section 3.3); `layout` trains what makes the
            mean clip and shapes of a caption, on squared error; `reading` the text encoder alone, by questions about
            captions of moving shapes; `all` trains everything but those.
        train_text: the text encoder learns too; off where it is a pretrained one.
        learning_rate: of AdamW, after a linear warm-up.
        cooldown: last steps of the phase over which the learning rate falls to zero.
        crop: height and width that are cut out of the clips at a random place; None takes them whole.
    """

    steps: int
    batch_size: int
    trainable: Trainable = "all"
    train_text: bool = False
    learning_rate: float = 4e-4
    crop: tuple[int, int] | None = None
    cooldown: int = 0

    @property
    def clips(self) -> int:
        """Clips that a step is shown: questions about captions need none."""
        return 0 if self.trainable == "reading" else self.batch_size

    def learning_rate_at(self, step: int, warmup: int) -> float:
        """Of the step numbered from 0 within the phase."""
        rising = min(1.0, (step + 1) / warmup)
        falling = min(1.0, (self.steps - step) / self.cooldown) if self.cooldown else 1.0
        return self.learning_rate * min(rising, falling)


@dataclass(frozen=True)
class Recipe:
    """All that fixes a training run beside its data and its first checkpoint.

    Attributes:
        phases: one after another.
        caption_dropout: share of captions replaced by "" for classifier-free guidance.
        max_timestep: timesteps are drawn from 0 to this one; 900 for the expert (Show-1, section 3.6).
        high_noise_share: share of timesteps drawn from the noisiest quarter, where layout and motion are decided; 0 is
            the paper's uniform choice.
        max_noise_level: noise levels of the low-resolution condition are drawn from 0 to this one.
        previous_dropout: share of clips without the frame of the window before (first windows have none).
        warmup: steps of each phase over which the learning rate rises.
        ema_decay: of the weights that are kept.
        max_grad_norm, weight_decay: of AdamW.
        accumulation: batches per step.
    """

    phases: tuple[Phase, ...]
    caption_dropout: float = 0.1
    max_timestep: int = 999
    high_noise_share: float = 0.0
    max_noise_level: int = 250
    previous_dropout: float = 0.2
    warmup: int = 100
    ema_decay: float = 0.999
    max_grad_norm: float = 1.0
    weight_decay: float = 0.01
    accumulation: int = 1

    @property
    def train_text(self) -> bool:
        """Whether the text encoder learns in any phase."""
        return any(phase.train_text for phase in self.phases)

    @property
    def steps(self) -> int:
        return sum(phase.steps for phase in self.phases)


RECIPES: Mapping[str, Mapping[str, Recipe]] = {
    "shapes": {
        # Departures from the paper, as the networks are small and start from nothing. Keyframes: text encoder and
        # layout are trained first, v is predicted instead of the noise (and no variance learned), the spatial layers go
        # on learning with the temporal ones, and noisy timesteps are drawn more often. Interpolation and
        # super-resolution predict the clean frames, as a difference to their condition, instead of the noise; the latter
        # starts from nothing, not from an image model, with noisy timesteps more often, and half of its clips without the
        # frame before, as all windows inherit what the first makes. The autoencoder is trained, not a published one.
        "keyframes": Recipe(
            phases=(
                Phase(3_000, 96, "reading", train_text=True, learning_rate=1e-3, cooldown=500),
                Phase(4_500, 64, "layout", train_text=True, learning_rate=1e-3, cooldown=1_500),
                Phase(1_500, 64, "spatial", learning_rate=5e-4),
                Phase(5_500, 8, learning_rate=4e-4, cooldown=1_500),
            ),
            high_noise_share=0.5,
        ),
        "interpolation": Recipe(phases=(Phase(1_000, 16, cooldown=450),)),
        "super-resolution": Recipe(
            phases=(Phase(18_500, 8, learning_rate=1e-3, crop=(40, 64), cooldown=7_500),),
            high_noise_share=0.5,
            max_noise_level=50,
            previous_dropout=0.5,
        ),
        # Many small crops at first: a batch of few has few colours, and all frames become of one.
        "autoencoder": Recipe(
            phases=(
                Phase(1_500, 48, learning_rate=2e-4, crop=(16, 16)),
                Phase(6_000, 12, learning_rate=6e-4, crop=(64, 64), cooldown=4_000),
            )
        ),
        "expert-translation": Recipe(
            phases=(Phase(1_000, 2, train_text=True, crop=(64, 64), cooldown=500),), max_timestep=900
        ),
    },
    "show-1": {
        # Figure 5 keeps spatial layers fixed. Here that is so for keyframes; the stages behind them have further input
        # channels, which the spatial layers must learn to use, and train all layers slowly.
        "keyframes": Recipe(phases=(Phase(100_000, 4, "temporal", learning_rate=1e-4),)),
        "interpolation": Recipe(phases=(Phase(50_000, 4, learning_rate=1e-5),)),
        "super-resolution": Recipe(phases=(Phase(50_000, 1, learning_rate=1e-5),)),
        "autoencoder": Recipe(phases=(Phase(50_000, 4, learning_rate=1e-5),)),
        "expert-translation": Recipe(phases=(Phase(50_000, 1, learning_rate=1e-5),), max_timestep=900),
    },
}
