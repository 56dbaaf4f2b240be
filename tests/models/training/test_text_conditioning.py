"""Captions as the stages read prompts, some of them dropped."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.runtime.execution import Execution
from cascade.models.text.encoders import T5PromptEncoder
from cascade.models.training.text_conditioning import CaptionEncoder


@pytest.fixture
def text(shapes_checkpoints: Path) -> T5PromptEncoder:
    return Checkpoints(shapes_checkpoints).t5("shapes/keyframes", Execution(device="cpu"))


def test_captions_are_dropped_as_often_as_the_recipe_says(text: T5PromptEncoder) -> None:
    features = CaptionEncoder(text)(["a red circle"] * 400, 0.25, torch.Generator().manual_seed(0))
    encoded = text.encode("a red circle", "")
    same = [torch.allclose(one, encoded.prompt[0], atol=1e-4) for one in features]
    assert abs(sum(same) / 400 - 0.75) < 0.06
    dropped = features[same.index(False)]
    torch.testing.assert_close(dropped, encoded.negative[0], atol=1e-4, rtol=1e-3)


def test_captions_are_read_as_the_stage_reads_prompts(text: T5PromptEncoder) -> None:
    features = CaptionEncoder(text)(["  A Red Circle"], 0.0, torch.Generator())
    torch.testing.assert_close(features, text.encode("a red circle", "").prompt, atol=1e-4, rtol=1e-3)


def test_the_encoder_gets_gradients_only_where_it_learns(text: T5PromptEncoder) -> None:
    captions = CaptionEncoder(text)
    assert not captions(["a red circle"], 0.0, torch.Generator()).requires_grad
    captions.select(trained=True)
    assert captions(["a red circle"], 0.0, torch.Generator()).requires_grad
    with torch.no_grad():
        assert not captions(["a red circle"], 0.0, torch.Generator()).requires_grad
