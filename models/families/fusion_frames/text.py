"""The text: hidden states of T5 (Flan-UL2), projected for a UNet, and what stands for no text.

Embeddings hold the hidden states of the prompt's tokens and one row of zeros behind them; a row of zeros is padding, and padding is
masked. A negative prompt that is empty is all zeros: a UNet puts its learned null embedding there.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import T5EncoderModel

from cascade.models.clip import PromptEmbeddings
from cascade.models.runtime.device import resident, resolve_device
from cascade.models.runtime.execution import Execution

logger = logging.getLogger(__name__)

MAX_TOKENS = 128


@dataclass(frozen=True)
class Context:
    """What the pixels of every frame attend to.

    Attributes:
        tokens: (1, tokens, context_dim).
        mask: (1, tokens), true for those that are read.
    """

    tokens: Tensor
    mask: Tensor


class TextProjection(nn.Sequential):
    """From T5's hidden states to a UNet's context: a linear layer without bias, and a layer norm."""

    def __init__(self, text_width: int, context_width: int) -> None:
        super().__init__(nn.Linear(text_width, context_width, bias=False), nn.LayerNorm(context_width))

    def context(self, features: Tensor) -> Context:
        """Project features (1, tokens, text_width); rows of zeros are padding, and stay zeros."""
        mask = token_mask(features)
        weight = next(self.parameters())
        projected: Tensor = self(features.to(weight.device, weight.dtype))
        mask = mask.to(projected.device)
        return Context(projected * mask[:, :, None], mask)


def token_mask(features: Tensor) -> Tensor:
    """Return which rows of (1, tokens, width) are tokens: those that are not all zeros, and the first."""
    mask = (features != 0).any(dim=-1)
    mask[:, 0] = True
    return mask


def null_context(null_embedding: Tensor, tokens: int) -> Context:
    """Make the context of no text: the null embedding (features,), and behind it zeros that are masked."""
    context = null_embedding.new_zeros(1, tokens, null_embedding.shape[-1])
    context[:, 0] = null_embedding
    mask = torch.zeros(1, tokens, dtype=torch.bool, device=context.device)
    mask[:, 0] = True
    return Context(context, mask)


class MaskedT5Encoder:
    """T5's last hidden states of as many tokens as the prompt has, and one row of zeros.

    A negative prompt is cut to the prompt's tokens, ends like it with an end token, and is masked like it.
    """

    masked = True

    def __init__(self, tokenizer: Any, encoder: T5EncoderModel, execution: Execution) -> None:
        self.tokenizer, self.encoder, self.execution = tokenizer, encoder, execution
        self.max_tokens = min(MAX_TOKENS, tokenizer.model_max_length)

    def encode(self, prompt: str, negative_prompt: str) -> PromptEmbeddings:
        tokens = self._tokens(prompt)
        features = self._encode(tokens, len(tokens))
        if not negative_prompt:
            return PromptEmbeddings(features, torch.zeros_like(features))
        negative = self._tokens(negative_prompt)[: len(tokens)]
        negative[-1] = self.tokenizer.eos_token_id
        return PromptEmbeddings(features, self._encode(negative, len(tokens)))

    def prepared(self, text: str) -> str:
        """Return the text as it is."""
        return text

    def _tokens(self, text: str) -> list[int]:
        tokens: list[int] = self.tokenizer(text)["input_ids"]
        if len(tokens) <= self.max_tokens:
            return tokens
        logger.warning(
            "a prompt of %d tokens is cut to the %d the encoder takes", len(tokens), self.max_tokens
        )
        cut: list[int] = self.tokenizer(text, truncation=True, max_length=self.max_tokens)["input_ids"]
        return cut

    def _encode(self, tokens: list[int], count: int) -> Tensor:
        """Encode tokens, the first `count` of them not masked: (1, count + 1, width), float32 on the CPU."""
        padding = [self.tokenizer.pad_token_id] * (self.max_tokens - len(tokens))
        device = resolve_device(self.execution)
        mask = (torch.arange(self.max_tokens) < count).long()[None]
        with torch.inference_mode(), resident(self.encoder, self.execution):
            features: Tensor = self.encoder(
                torch.tensor([tokens + padding], device=device), attention_mask=mask.to(device)
            ).last_hidden_state
        features = features.float().cpu() * mask[:, :, None]
        return features[:, : count + 1]
