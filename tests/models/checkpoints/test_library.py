"""Networks, schedulers and tokenizers of diffusers and transformers: nothing is filled with random numbers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from cascade.models.checkpoints.files import verify
from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.checkpoints.requirements import requirements
from cascade.models.errors import CheckpointError
from cascade.models.presets.shapes import SHAPES
from cascade.models.runtime.execution import Execution

CPU = Execution(device="cpu")
KEYFRAMES, *_, EXPERT = requirements(SHAPES)
T5, CLIP, VAE = (
    "text_encoder/model.safetensors",
    "text_encoder/model.safetensors",
    "vae/diffusion_pytorch_model.safetensors",
)


@pytest.fixture
def keyframes(tmp_path: Path, shapes_checkpoints: Path) -> Path:
    return Path(shutil.copytree(shapes_checkpoints / KEYFRAMES.name, tmp_path / KEYFRAMES.name))


@pytest.fixture
def expert(tmp_path: Path, shapes_checkpoints: Path) -> Path:
    return Path(shutil.copytree(shapes_checkpoints / EXPERT.name, tmp_path / EXPERT.name))


def without_a_tensor(file: Path) -> str:
    tensors = load_file(file)
    name = sorted(tensors)[len(tensors) // 2]
    del tensors[name]
    save_file(tensors, file, {"format": "pt"})
    return f"missing {name}"


def of_another_shape(file: Path) -> str:
    tensors = load_file(file)
    name = next(name for name in sorted(tensors) if tensors[name].ndim == 1)
    save_file(tensors | {name: torch.zeros(3)}, file, {"format": "pt"})
    return f"{name} is (3,), not ({len(tensors[name])},)"


def not_finite(file: Path) -> str:
    tensors = load_file(file)
    name = max(tensors)
    save_file(tensors | {name: torch.full_like(tensors[name], torch.nan)}, file, {"format": "pt"})
    return f"{file.name} is damaged: {name} holds numbers that are not finite"


def cut(file: Path) -> str:
    file.write_bytes(file.read_bytes()[:-64])
    return f"{file.name} is damaged or cut short"


@pytest.mark.parametrize("damage", [without_a_tensor, of_another_shape, not_finite, cut])
def test_a_damaged_network_of_a_library_neither_loads_nor_verifies(
    damage: Callable[[Path], str], keyframes: Path, expert: Path, tmp_path: Path
) -> None:
    checkpoints = Checkpoints(tmp_path)
    for folder, file, requirement, load in (
        (keyframes, T5, KEYFRAMES, checkpoints.t5),
        (expert, CLIP, EXPERT, checkpoints.clip),
        (expert, VAE, EXPERT, checkpoints.vae),
    ):
        load(requirement.name, CPU)
        fault = damage(folder / file)
        (folder / "SHA256SUMS").unlink(missing_ok=True)
        with pytest.raises(CheckpointError) as refused:
            load(requirement.name, CPU)
        assert fault in str(refused.value)
        assert "\n" not in str(refused.value)
        assert any(fault in line for line in verify(folder, requirement))


def test_a_text_encoder_in_8_bits_is_checked_too(keyframes: Path, tmp_path: Path) -> None:
    fault = without_a_tensor(keyframes / T5)
    with pytest.raises(CheckpointError, match=fault):
        Checkpoints(tmp_path).t5(KEYFRAMES.name, replace(CPU, text_8bit=True))


def test_text_encoders_under_the_names_of_older_versions_load(
    expert: Path, tmp_path: Path, shapes_checkpoints: Path
) -> None:
    expected = Checkpoints(shapes_checkpoints).clip(EXPERT.name, CPU).encode("a red circle", "").prompt
    tensors = {f"text_model.{name}": tensor for name, tensor in load_file(expert / CLIP).items()}
    (expert / CLIP).unlink()
    positions = {"text_model.embeddings.position_ids": torch.arange(32)[None]}
    torch.save(tensors | positions, expert / "text_encoder" / "pytorch_model.bin")
    (expert / "SHA256SUMS").unlink()
    encoded = Checkpoints(tmp_path).clip(EXPERT.name, CPU).encode("a red circle", "").prompt
    assert torch.equal(encoded, expected)
    assert verify(expert, EXPERT) == []


def test_an_autoencoder_with_the_attention_of_older_versions_loads(
    expert: Path, tmp_path: Path, shapes_checkpoints: Path
) -> None:
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    tensors = load_file(expert / VAE)
    for new, name in old.items():
        tensors = {key.replace(f".{new}.", f".{name}."): tensor for key, tensor in tensors.items()}
    assert any(".proj_attn." in name for name in tensors)
    save_file(tensors, expert / VAE)
    (expert / "SHA256SUMS").unlink()
    assert verify(expert, EXPERT) == []
    latents = torch.randn(1, 8, 4, 4)
    with torch.inference_mode():
        new, same = (
            Checkpoints(folder).vae(EXPERT.name, CPU).decode(latents).sample
            for folder in (shapes_checkpoints, tmp_path)
        )
    assert torch.equal(new, same)


@pytest.mark.parametrize(
    ("file", "content", "fault"),
    [
        ("scheduler/scheduler_config.json", "{", "scheduler_config.json is not JSON"),
        ("scheduler/scheduler_config.json", '{"_class_name": "Wish"}', 'no scheduler "Wish"'),
        ("scheduler/scheduler_config.json", '{"_class_name": "DDIMScheduler", "beta_schedule": "x"}', "scheduler"),
        ("tokenizer/tokenizer.json", "version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
        ("tokenizer/tokenizer.json", '{"version": "1.0"}', "the tokenizer cannot be read"),
        ("text_encoder/config.json", "{}", "config.json"),
        ("vae/config.json", '{"_class_name": "AutoencoderKL", "block_out_channels": 3}', "AutoencoderKL cannot be loaded"),
        ("vae/config.json", "", "config.json is empty"),
    ],
)  # fmt: skip
def test_a_damaged_part_is_a_fault(file: str, content: str, fault: str, expert: Path) -> None:
    (expert / "SHA256SUMS").unlink()
    (expert / file).write_text(content)
    faults = verify(expert, EXPERT)
    assert len(faults) == 1, faults
    assert fault in faults[0]
    assert faults[0].startswith(f"{Path(file).parent}/: ")


def test_a_tokenizer_of_another_encoder_is_refused(keyframes: Path, tmp_path: Path) -> None:
    config = json.loads((keyframes / "text_encoder" / "config.json").read_text())
    tensors = load_file(keyframes / T5)
    words = {
        name: tensor[:100] for name, tensor in tensors.items() if tensor.shape[0] == config["vocab_size"]
    }
    assert words
    save_file(tensors | words, keyframes / T5, {"format": "pt"})
    (keyframes / "text_encoder" / "config.json").write_text(json.dumps(config | {"vocab_size": 100}))
    with pytest.raises(CheckpointError, match="tokens; the text encoder beside it knows 100"):
        Checkpoints(tmp_path).t5(KEYFRAMES.name, CPU)
