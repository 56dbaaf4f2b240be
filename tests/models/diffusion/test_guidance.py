"""Classifier-free guidance against its equation, and how the network is called for it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cascade.models.clip import PromptEmbeddings
from cascade.models.diffusion.guidance import guide, guided_predictor

TEXT = PromptEmbeddings(torch.full((1, 2, 4), 3.0), torch.full((1, 2, 4), 1.0))
TIMESTEP = torch.tensor(500)


class TextMean(nn.Module):
    """Predicts the mean of the text in every place, and keeps what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1, dtype=torch.bfloat16))
        self.samples: list[Tensor] = []
        self.labels: list[Tensor | None] = []

    def forward(
        self, sample: Tensor, timestep: Tensor, text: Tensor, class_labels: Tensor | None = None
    ) -> Tensor:
        """(batch, channels, frames, height, width) to (batch, 1, frames, height, width)."""
        self.samples.append(sample)
        self.labels.append(class_labels)
        return text.mean(dim=(1, 2)).view(-1, 1, 1, 1, 1).expand_as(sample[:, :1])


def test_guidance_moves_the_noise_away_from_the_negative_prompt() -> None:
    # 1 + 9 * (3 - 1) = 19; the variance channel keeps the prompt's own 7.
    negative = torch.tensor([1.0, 5.0]).view(1, 2, 1, 1, 1)
    positive = torch.tensor([3.0, 7.0]).view(1, 2, 1, 1, 1)
    assert guide(negative, positive, 9.0, 1).flatten().tolist() == [19.0, 7.0]


def test_a_network_runs_on_both_prompts_at_once() -> None:
    network, sample = TextMean(), torch.randn(2, 1, 3, 4, 5)
    prediction = guided_predictor(network, TEXT, 9.0)(sample, TIMESTEP)
    assert prediction.shape == sample.shape
    assert (prediction == 19).all()  # 1 + 9 * (3 - 1)
    assert [tuple(inputs.shape) for inputs in network.samples] == [(4, 1, 3, 4, 5)]


def test_without_guidance_it_runs_on_the_prompt_alone() -> None:
    network = TextMean()
    prediction = guided_predictor(network, TEXT, 1.0)(torch.randn(2, 1, 3, 4, 5), TIMESTEP)
    assert (prediction == 3).all()
    assert [tuple(inputs.shape) for inputs in network.samples] == [(2, 1, 3, 4, 5)]


def test_the_condition_comes_after_the_sample_and_labels_go_with_both_prompts() -> None:
    network, sample, condition = TextMean(), torch.zeros(2, 1, 3, 4, 5), torch.ones(2, 2, 3, 4, 5)
    guided_predictor(network, TEXT, 9.0, condition, torch.tensor([10, 20]))(sample, TIMESTEP)
    (inputs,), (labels,) = network.samples, network.labels
    assert inputs.mean(dim=(0, 2, 3, 4)).tolist() == [0, 1, 1]
    assert labels is not None
    assert labels.tolist() == [10, 20, 10, 20]


def test_the_network_sees_its_own_precision_and_sampling_sees_float32() -> None:
    network = TextMean()
    prediction = guided_predictor(network, TEXT, 9.0)(torch.zeros(1, 1, 1, 1, 1), TIMESTEP)
    assert network.samples[0].dtype == torch.bfloat16
    assert prediction.dtype == torch.float32
