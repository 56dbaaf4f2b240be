"""Attention against its equation, by both of its implementations."""

from __future__ import annotations

import pytest
import torch

from cascade.models.layers.attention import attend, plain_attention


def test_attention_mixes_values_by_the_softmax_of_scaled_products() -> None:
    # One head of width 4: products 4·ln 3 / sqrt(4) = 2·ln 3 and 0 are weights 9/10 and 1/10.
    query = torch.full((1, 1, 4), 1.0)
    key = torch.stack([torch.full((4,), torch.log(torch.tensor(3.0)).item()), torch.zeros(4)])[None]
    value = torch.tensor([[[10.0, 20.0, 0.0, 0.0], [0.0, 0.0, 30.0, 40.0]]])
    expected = torch.tensor([[[9.0, 18.0, 3.0, 4.0]]])
    torch.testing.assert_close(attend(query, key, value, heads=1), expected)
    torch.testing.assert_close(plain_attention(query[:, None], key[:, None], value[:, None])[:, 0], expected)


@pytest.mark.parametrize("heads", [1, 2, 4])
def test_learning_and_inference_agree(heads: int) -> None:
    query, key, value = torch.randn(2, 5, 8), torch.randn(2, 7, 8), torch.randn(2, 7, 8)
    fused = attend(query, key, value, heads)
    plain = attend(query.requires_grad_(), key, value, heads)
    torch.testing.assert_close(plain, fused)
