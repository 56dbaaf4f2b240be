"""Classifier-free guidance (Ho and Salimans, 2022), also of networks that learn the variance (Nichol and Dhariwal, 2021)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cascade.models.clip import PromptEmbeddings
from cascade.models.diffusion.sampling import Predict


def guide(negative: Tensor, positive: Tensor, guidance_scale: float, sample_channels: int) -> Tensor:
    """Move the prediction away from the negative prompt: negative + scale · (positive - negative).

    Equation 6 of Ho and Salimans (2022), with scale = 1 + w and a negative prompt in the place of none.

    Args:
        negative, positive: predictions (batch, channels, frames, height, width) for the two prompts. Channels beyond
            `sample_channels` are the learned variance, taken from the positive prompt as it is.
        guidance_scale: 1 is no guidance.
    Returns:
        A prediction of the same shape.
    """
    noise = negative[:, :sample_channels]
    noise = noise + guidance_scale * (positive[:, :sample_channels] - noise)
    return torch.cat([noise, positive[:, sample_channels:]], dim=1)


def guided_predictor(
    unet: nn.Module,
    embeddings: PromptEmbeddings,
    guidance_scale: float,
    condition: Tensor | None = None,
    class_labels: Tensor | None = None,
) -> Predict:
    """Make a `Predict` that runs `unet` on the prompt, and on the negative prompt unless the scale is 1.

    Args:
        unet: takes (sample, timestep, encoder_hidden_states[, class_labels]).
        condition: (batch, channels, frames, height, width), concatenated after the sample's channels; where the sample is.
        class_labels: (batch,) noise level, for networks that take one.
    """
    dtype = next(unet.parameters()).dtype

    def predict(sample: Tensor, timestep: Tensor) -> Tensor:
        batch = sample.shape[0]
        inputs = sample if condition is None else torch.cat([sample, condition], dim=1)
        positive = embeddings.prompt.expand(batch, -1, -1)
        if guidance_scale == 1:
            return run(inputs, timestep, positive, class_labels)
        text = torch.cat([embeddings.negative.expand(batch, -1, -1), positive])
        labels = None if class_labels is None else class_labels.repeat(2)
        both = run(torch.cat([inputs, inputs]), timestep, text, labels)
        negative, positive = both.chunk(2)
        return guide(negative, positive, guidance_scale, sample.shape[1])

    def run(inputs: Tensor, timestep: Tensor, text: Tensor, labels: Tensor | None) -> Tensor:
        device = inputs.device  # the network's own may be elsewhere: where it is offloaded to, layer by layer
        extra = {} if labels is None else {"class_labels": labels.to(device)}
        prediction: Tensor = unet(inputs.to(dtype), timestep.to(device), text.to(device, dtype), **extra)
        return prediction.float()

    return predict
