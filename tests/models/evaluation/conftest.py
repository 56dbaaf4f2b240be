"""Small networks in the formats in which the feature networks are published."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor, nn
from transformers import (
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    CLIPProcessor,
    PreTrainedTokenizerFast,
)


class I3D(nn.Module):
    """Mean brightness per colour, first frame less last, and the shape it was shown."""

    def forward(self, clip: Tensor, rescale: bool, resize: bool, return_features: bool) -> Tensor:
        assert not rescale
        assert not resize
        assert return_features
        assert clip.shape[2] >= 9  # as the published one needs
        means = clip.mean(dim=[3, 4])
        sizes = torch.tensor([[clip.shape[2], clip.shape[3], clip.shape[4]]])
        return torch.cat([means[:, :, 0] - means[:, :, -1], sizes.to(clip)], dim=1)


class Inception(nn.Module):
    def forward(self, images: Tensor, return_features: bool = False, no_output_bias: bool = False) -> Tensor:
        assert return_features != no_output_bias
        means = images.mean(dim=[2, 3])
        return means if return_features else (means / 255).softmax(dim=1)


class VGG16(nn.Module):
    def forward(self, images: Tensor, resize_images: bool, return_lpips: bool) -> Tensor:
        assert return_lpips
        assert not resize_images
        assert images.shape[-1] >= 64
        return images.mean(dim=[2, 3]) / 255


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("networks")
    for name, network in (("i3d", I3D()), ("inception", Inception()), ("vgg16", VGG16())):
        torch.jit.save(torch.jit.script(network), str(folder / f"{name}.pt"))
    torch.manual_seed(0)
    text = {
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "vocab_size": 4,
        "eos_token_id": 3,
    }
    vision = {
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "image_size": 32,
        "patch_size": 8,
    }
    CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=8)).save_pretrained(
        folder / "clip"
    )
    words = Tokenizer(models.WordLevel({"[UNK]": 0, "red": 1, "blue": 2, "[EOS]": 3}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words, unk_token="[UNK]", eos_token="[EOS]", pad_token="[EOS]", model_max_length=16
    )
    pictures = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    CLIPProcessor(pictures, tokenizer).save_pretrained(folder / "clip")
    yield folder
