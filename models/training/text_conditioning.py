"""Text features of a batch of captions, some of them dropped for classifier-free guidance."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn

from cascade.models.text.encoders import T5_MAX_TOKENS, ClipPromptEncoder, T5PromptEncoder


class CaptionEncoder(nn.Module):
    """T5 or CLIP as the stages use them (`text`), with gradients where the text encoder learns too."""

    def __init__(self, text: T5PromptEncoder | ClipPromptEncoder) -> None:
        super().__init__()
        self.text, self.tokenizer, self.encoder = text, text.tokenizer, text.encoder
        self.select(trained=False)

    def select(self, *, trained: bool) -> None:
        """Let the encoder learn, or freeze it."""
        self.trained = trained
        self.encoder.requires_grad_(trained)

    def forward(
        self, captions: Sequence[str], dropout: float, generator: Generator, *, padded: bool = True
    ) -> Tensor:
        """Encode captions, each replaced by "" with probability `dropout` (Ho and Salimans, 2022, algorithm 1).

        Args:
            padded: as the stages see them, to the encoder's full length; else only to the longest of the captions.
        Returns:
            (batch, tokens, features).
        """
        dropped = torch.rand(len(captions), generator=generator) < dropout
        texts = ["" if drop else text for text, drop in zip(captions, dropped.tolist(), strict=True)]
        tokens = self.tokenizer(
            [self.text.prepared(text) for text in texts],
            padding="max_length" if padded else "longest",
            max_length=min(T5_MAX_TOKENS, self.tokenizer.model_max_length),
            truncation=True,
            return_tensors="pt",
        ).to(self.encoder.device)
        mask = {"attention_mask": tokens["attention_mask"]} if self.text.masked else {}
        with torch.set_grad_enabled(self.trained and torch.is_grad_enabled()):
            features: Tensor = self.encoder(tokens["input_ids"], **mask).last_hidden_state
        return features
