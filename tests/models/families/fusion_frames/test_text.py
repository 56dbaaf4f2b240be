"""The text: hidden states with a row of padding, masks, negative prompts, and no text."""

from __future__ import annotations

import torch

from cascade.models.clip import PromptEmbeddings
from cascade.models.families.fusion_frames.networks import KeyframesNetwork, prompt_contexts
from cascade.models.families.fusion_frames.text import MaskedT5Encoder, TextProjection, token_mask
from cascade.models.presets.kandinsky_video import VERSION_1_0
from cascade.models.runtime.execution import Execution
from tests.models.families.fusion_frames.small_checkpoints import (
    CONTEXT,
    FILES,
    TEXT,
    random_network,
    text_encoder,
    tokenizer,
)

HERE = Execution(device="cpu")
PROMPT = "a red car on the mountain road"  # 7 words, and the end


def encoder() -> MaskedT5Encoder:
    return MaskedT5Encoder(tokenizer(), text_encoder(), HERE)


def test_a_prompt_is_its_tokens_and_one_row_of_zeros() -> None:
    embeddings = encoder().encode(PROMPT, "")
    assert embeddings.prompt.shape == (1, 9, TEXT)
    assert token_mask(embeddings.prompt).tolist() == [[True] * 8 + [False]]
    assert not embeddings.prompt[0, 8].any()
    assert embeddings.negative.shape == embeddings.prompt.shape
    assert not embeddings.negative.any()


def test_padding_changes_nothing() -> None:
    ids = tokenizer()(PROMPT, return_tensors="pt")["input_ids"]
    with torch.inference_mode():
        alone = text_encoder()(ids).last_hidden_state
    torch.testing.assert_close(encoder().encode(PROMPT, "").prompt[:, :8], alone)


def test_a_longer_negative_prompt_is_cut_to_the_prompts_tokens_and_ends() -> None:
    negative = encoder().encode("a red car", "the dark road on the mountain").negative
    ids = torch.tensor(
        [[*tokenizer()("the dark road")["input_ids"]]]
    )  # three words, and the end in the fourth's place
    with torch.inference_mode():
        expected = text_encoder()(ids).last_hidden_state
    torch.testing.assert_close(negative[:, :4], expected)
    assert not negative[0, 4].any()


def test_a_shorter_negative_prompt_takes_the_prompts_mask() -> None:
    negative = encoder().encode(PROMPT, "dark").negative
    assert token_mask(negative).tolist() == [[True] * 8 + [False]]


def test_a_prompt_that_is_too_long_is_cut_to_128_tokens_with_its_end() -> None:
    embeddings = encoder().encode(" ".join(["car"] * 200), "")
    assert embeddings.prompt.shape == (1, 128, TEXT)
    assert token_mask(embeddings.prompt).all()


def test_no_text_is_the_null_embedding_alone() -> None:
    network = random_network(*FILES[VERSION_1_0]["weights/kandinsky_video.pt"])
    assert isinstance(network, KeyframesNetwork)
    assert network.projection is not None
    features = torch.randn(1, 5, TEXT)
    features[0, 4] = 0
    with torch.inference_mode():
        prompt, no_text = prompt_contexts(
            network, network.projection, PromptEmbeddings(features, torch.zeros_like(features))
        )
    assert prompt.mask.tolist() == [[True] * 4 + [False]]
    assert not prompt.tokens[0, 4].any()
    assert no_text.mask.tolist() == [[True] + [False] * 4]
    torch.testing.assert_close(no_text.tokens[0, 0], network.null_embedding.detach())
    assert not no_text.tokens[0, 1:].any()


def test_the_projection_is_a_linear_layer_and_a_layer_norm_of_the_tokens() -> None:
    torch.manual_seed(0)
    projection, features = TextProjection(TEXT, CONTEXT), torch.randn(1, 3, TEXT)
    features[0, 2] = 0
    with torch.inference_mode():
        context = projection.context(features)
    assert context.tokens[0, :2].mean(dim=-1).abs().max() < 1e-5
    torch.testing.assert_close(
        context.tokens[0, :2].std(dim=-1, correction=0), torch.ones(2), rtol=1e-3, atol=0
    )
    assert not context.tokens[0, 2].any()
