"""Which checkpoints the presets need."""

from __future__ import annotations

from cascade.models.checkpoints.requirements import requirements
from cascade.models.presets.show1 import SHOW_1


def test_what_show_1_loads_is_listed_once_each_in_order() -> None:
    assert [(requirement.name, requirement.parts) for requirement in requirements(SHOW_1)] == [
        ("showlab/show-1-base", ("unet", "text_encoder", "tokenizer")),
        ("showlab/show-1-interpolation", ("unet",)),
        ("showlab/show-1-sr1", ("unet",)),
        ("DeepFloyd/IF-II-L-v1.0", ("unet", "scheduler", "image_noising_scheduler")),
        ("showlab/show-1-sr2", ("unet", "scheduler", "vae", "text_encoder", "tokenizer")),
    ]


def test_only_the_image_model_is_optional() -> None:
    optional = [requirement.name for requirement in requirements(SHOW_1) if requirement.optional]
    assert optional == ["DeepFloyd/IF-II-L-v1.0"]
