"""Recipes that train the small cascade from nothing; `docs/training.md` says what each departure from the paper is for."""

from __future__ import annotations

from collections.abc import Mapping

from cascade.models.training.recipe import Phase, Recipe

# Departures from the paper, as the networks are small and start from nothing. Keyframes: the text encoder is trained first, by
# questions about captions, and then frozen, and so is the caption prior; v is predicted instead of the noise (and no variance
# learned), the spatial layers go on learning with the temporal ones, and noisy timesteps are drawn more often. Interpolation
# and super-resolution predict the clean frames, as a difference to their condition, instead of the noise, and start from
# nothing, with noisy timesteps more often; what super-resolution is to undo are deformed clips. Expert translation predicts v.
# The autoencoder is trained, not a published one.
RECIPES: Mapping[str, Mapping[str, Recipe]] = {
    "shapes": {
        "keyframes": Recipe(
            phases=(
                Phase(6_000, 64, "questions", train_text=True, learning_rate=1e-3, cooldown=2_000),
                Phase(2_500, 64, "questions", train_text=True, learning_rate=7e-4, cooldown=1_200),
                Phase(6_300, 64, "prior", learning_rate=1e-3, cooldown=1_200),
                Phase(1_500, 64, "spatial", learning_rate=5e-4),
                Phase(5_500, 8, learning_rate=4e-4, cooldown=1_500),
                Phase(2_350, 8, learning_rate=4e-4, cooldown=600),
            ),
            high_noise_share=0.5,
        ),
        "interpolation": Recipe(phases=(Phase(1_100, 16, learning_rate=8e-4, cooldown=600),)),
        "super-resolution": Recipe(
            phases=(
                Phase(18_500, 8, learning_rate=1e-3, crop=(40, 64), cooldown=7_500),
                Phase(2_700, 4, learning_rate=5e-4, crop=(80, 80), cooldown=1_500),
            ),
            high_noise_share=0.5,
            max_noise_level=50,
            previous_dropout=0.2,
        ),
        "first-frame": Recipe(
            phases=(Phase(1_000, 24, learning_rate=1e-3, crop=(80, 96), cooldown=600),),
            high_noise_share=0.5,
            max_noise_level=50,
        ),
        # Many small crops at first: a batch of few has few colours, and all frames become of one.
        "autoencoder": Recipe(
            phases=(
                Phase(1_500, 48, learning_rate=2e-4, crop=(16, 16)),
                Phase(6_000, 12, learning_rate=6e-4, crop=(64, 64), cooldown=4_000),
                Phase(6_000, 12, learning_rate=5e-4, crop=(64, 64), cooldown=4_000),
            )
        ),
        "expert-translation": Recipe(
            phases=(Phase(1_100, 3, train_text=True, learning_rate=8e-4, crop=(144, 160), cooldown=600),),
            max_timestep=900,
            window=8,
        ),
    },
}
"""By preset, then by trained part, in the order in which they are trained."""
