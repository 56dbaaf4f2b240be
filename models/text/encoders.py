"""Prompt encoders: T5 for the pixel stages, CLIP for the latent stage."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor
from transformers import CLIPTextModel, T5EncoderModel

from cascade.models.clip import PromptEmbeddings
from cascade.models.runtime.device import resident, resolve_device
from cascade.models.runtime.execution import Execution
from cascade.models.text.caption_cleaning import clean_caption

logger = logging.getLogger(__name__)

T5_MAX_TOKENS = 77


class PromptEncoder(Protocol):
    """Turns a prompt and its negative prompt into the features that UNets attend to."""

    def encode(self, prompt: str, negative_prompt: str) -> PromptEmbeddings: ...


class LazyEncoder:
    """Loads the encoder at its first use: a worker that is handed embeddings never loads it."""

    def __init__(self, load: Callable[[], PromptEncoder]) -> None:
        self._load = load
        self._encoder: PromptEncoder | None = None

    def encode(self, prompt: str, negative_prompt: str) -> PromptEmbeddings:
        if self._encoder is None:
            self._encoder = self._load()
        return self._encoder.encode(prompt, negative_prompt)


class T5PromptEncoder:
    """T5's last hidden states, padded to 77 tokens (or the tokenizer's fewer), the padding masked in the encoder.

    Prompts are stripped and lower-cased, or with `clean` go twice through IF's caption cleaning.
    """

    masked = True

    def __init__(
        self, tokenizer: Any, encoder: T5EncoderModel, execution: Execution, *, clean: bool = False
    ) -> None:
        self.tokenizer, self.encoder = tokenizer, encoder
        self.execution, self.clean = execution, clean

    def encode(self, prompt: str, negative_prompt: str) -> PromptEmbeddings:
        texts = [self.prepared(text) for text in (prompt, negative_prompt)]
        tokens = _tokenize(self.tokenizer, texts, min(T5_MAX_TOKENS, self.tokenizer.model_max_length))
        device = resolve_device(self.execution)  # the encoder's own is the CPU where its layers are offloaded
        with torch.inference_mode(), resident(self.encoder, self.execution):
            features = self.encoder(
                tokens["input_ids"].to(device),
                attention_mask=tokens["attention_mask"].to(device),
            ).last_hidden_state
        return _embeddings(features)

    def prepared(self, text: str) -> str:
        """Clean a text as the tokenizer expects it."""
        return clean_caption(clean_caption(text)) if self.clean else text.lower().strip()


class ClipPromptEncoder:
    """CLIP's last hidden states, padded to the tokenizer's length (77 tokens)."""

    masked = False

    def __init__(self, tokenizer: Any, encoder: CLIPTextModel, execution: Execution) -> None:
        self.tokenizer, self.encoder, self.execution = tokenizer, encoder, execution

    def encode(self, prompt: str, negative_prompt: str) -> PromptEmbeddings:
        tokens = _tokenize(self.tokenizer, [prompt, negative_prompt], self.tokenizer.model_max_length)
        with torch.inference_mode(), resident(self.encoder, self.execution):
            features = self.encoder(tokens["input_ids"].to(resolve_device(self.execution))).last_hidden_state
        return _embeddings(features)

    def prepared(self, text: str) -> str:
        """Return the text as it is: CLIP's tokenizer cleans it itself."""
        return text


def _tokenize(tokenizer: Any, texts: list[str], max_tokens: int) -> dict[str, Tensor]:
    """Return `input_ids` and `attention_mask`, each (len(texts), max_tokens)."""
    lengths = [len(ids) for ids in tokenizer(texts)["input_ids"]]
    if max(lengths) > max_tokens:
        logger.warning("a prompt of %d tokens is cut to the %d the encoder takes", max(lengths), max_tokens)
    tokens: dict[str, Tensor] = tokenizer(
        texts, padding="max_length", max_length=max_tokens, truncation=True, return_tensors="pt"
    )
    return tokens


def _embeddings(features: Tensor) -> PromptEmbeddings:
    """Split features (2, tokens, width) into those of the prompt and of the negative prompt, float32 on the CPU."""
    prompt, negative = features.float().cpu()
    return PromptEmbeddings(prompt=prompt[None], negative=negative[None])
