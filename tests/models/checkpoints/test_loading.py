"""Loading checkpoints, and refusing those that do not fit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from cascade.models.checkpoints.files import SHIPPED
from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.errors import CheckpointError
from cascade.models.runtime.execution import Execution
from tests.models.checkpoints.small_network import SmallNetwork, write_small_network

CPU = Execution(device="cpu")
NAME = "some/network"


def load(folder: Path, execution: Execution = CPU) -> SmallNetwork:
    return Checkpoints(folder).network(NAME, SmallNetwork, execution)


def test_a_network_is_ready_for_inference(tmp_path: Path) -> None:
    write_small_network(tmp_path)
    network = load(tmp_path)
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())
    assert load(tmp_path, replace(CPU, dtype="bfloat16")).first.weight.dtype == torch.bfloat16


def test_a_missing_checkpoint_is_named_with_where_it_was_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(CheckpointError, match=f"some/nowhere.*{tmp_path}.*shipped.*hub"):
        Checkpoints(tmp_path).network("some/nowhere", SmallNetwork, CPU)


def test_a_checkpoint_in_the_folder_goes_before_the_one_that_is_shipped(tmp_path: Path) -> None:
    shipped = min(SHIPPED.glob("*/*/model_index.json")).parent
    name = str(shipped.relative_to(SHIPPED))
    assert Checkpoints(tmp_path).path(name) == shipped
    (tmp_path / name).mkdir(parents=True)
    assert Checkpoints(tmp_path).path(name) == tmp_path / name


def test_a_checkpoint_name_cannot_leave_the_folder(tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    with pytest.raises(CheckpointError, match="leads out"):
        Checkpoints(tmp_path / "inside").path("../elsewhere")


def test_a_missing_part_and_a_misfit_tensor_are_named(tmp_path: Path) -> None:
    unet = write_small_network(tmp_path) / "unet"
    weights = unet / "diffusion_pytorch_model.safetensors"
    tensors = load_file(weights)
    tensors["first.bias"] = torch.zeros(5)
    del tensors["last.bias"]
    save_file(tensors, weights)
    with pytest.raises(
        CheckpointError, match=r"missing last\.bias \(1,\); first\.bias is \(5,\), not \(8,\)"
    ):
        load(tmp_path)
    weights.unlink()
    with pytest.raises(CheckpointError, match=r"no weights in .*network/unet"):
        load(tmp_path)
    (unet / "config.json").unlink()
    with pytest.raises(CheckpointError, match=r"config\.json is missing"):
        load(tmp_path)
    unet.rmdir()
    with pytest.raises(CheckpointError, match=f'checkpoint "{NAME}" has no unet/'):
        load(tmp_path)


def test_tensors_under_older_names_are_loaded(tmp_path: Path) -> None:
    weights = write_small_network(tmp_path) / "unet" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(weights)
    save_file({name.replace("first.", "entrance."): tensor for name, tensor in tensors.items()}, weights)
    assert torch.equal(load(tmp_path).first.weight, tensors["first.weight"])


def test_pytorch_weights_are_read_as_tensors_and_nothing_else(
    tmp_path: Path, shapes_checkpoints: Path
) -> None:
    unet = write_small_network(tmp_path) / "unet"
    tensors = load_file(unet / "diffusion_pytorch_model.safetensors")
    (unet / "diffusion_pytorch_model.safetensors").unlink()
    torch.save(tensors, unet / "diffusion_pytorch_model.fp16.bin")
    assert torch.equal(load(tmp_path).first.weight, tensors["first.weight"])
    torch.save({"first.weight": print}, unet / "diffusion_pytorch_model.fp16.bin")
    with pytest.raises(CheckpointError, match="more than tensors"):
        load(tmp_path)


def test_a_text_encoder_in_pytorchs_format_is_read_too(tmp_path: Path, shapes_checkpoints: Path) -> None:
    source = shapes_checkpoints / "shapes" / "keyframes"
    text = tmp_path / "some" / "text"
    (text / "text_encoder").mkdir(parents=True)
    (text / "tokenizer").symlink_to(source / "tokenizer")
    (text / "text_encoder" / "config.json").write_bytes(
        (source / "text_encoder" / "config.json").read_bytes()
    )
    torch.save(
        load_file(source / "text_encoder" / "model.safetensors"),
        text / "text_encoder" / "pytorch_model.fp16.bin",
    )
    expected = Checkpoints(shapes_checkpoints).t5("shapes/keyframes", CPU).encode("a red circle", "").prompt
    assert torch.equal(Checkpoints(tmp_path).t5("some/text", CPU).encode("a red circle", "").prompt, expected)


def test_a_text_encoder_in_8_bits_says_nearly_the_same(shapes_checkpoints: Path) -> None:
    checkpoints = Checkpoints(shapes_checkpoints)
    exact = checkpoints.t5("shapes/keyframes", CPU).encode("a red circle", "").prompt
    eight_bits = checkpoints.t5("shapes/keyframes", replace(CPU, text_8bit=True))
    rounded = eight_bits.encode("a red circle", "").prompt
    error = (rounded - exact).abs().max() / exact.abs().max()
    assert 0 < error < 0.05, f"relative error {error:.3f}"


def test_a_text_encoder_stays_on_the_cpu_where_it_is_told_to(shapes_checkpoints: Path) -> None:
    """`meta` stands for the device of the other networks: nothing that runs there has values."""
    checkpoints = Checkpoints(shapes_checkpoints)
    elsewhere = Execution(device="meta", text_device="cpu")
    expected = checkpoints.clip("shapes/expert-translation", CPU).encode("a red circle", "")
    encoder = checkpoints.clip("shapes/expert-translation", elsewhere)
    assert encoder.encoder.device == torch.device("cpu")
    assert torch.equal(encoder.encode("a red circle", "").prompt, expected.prompt)


def test_an_unknown_scheduler_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "some" / "scheduler"
    folder.mkdir(parents=True)
    (folder / "scheduler_config.json").write_text('{"_class_name": "WishfulScheduler"}')
    with pytest.raises(CheckpointError, match='scheduler "WishfulScheduler" is not one of DDIMScheduler'):
        Checkpoints(tmp_path).scheduler("some")


class WidthRecorder:
    """Notes the widths of the latents that a decoder is given."""

    def __init__(self, decoder: nn.Module) -> None:
        self.widths: list[int] = []
        decoder.register_forward_pre_hook(self)

    def __call__(self, _module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        self.widths.append(inputs[0].shape[-1])


def test_a_tiling_autoencoder_decodes_overlapping_tiles_of_a_large_frame(shapes_checkpoints: Path) -> None:
    """A tile is 32 latents wide, and the next one begins three quarters of it further."""
    checkpoints, latents = Checkpoints(shapes_checkpoints), torch.randn(1, 8, 8, 40)
    frames: list[Tensor] = []
    for tiling, widths in ((False, [40]), (True, [32, 16])):
        vae = checkpoints.vae("shapes/expert-translation", replace(CPU, vae_tiling=tiling))
        recorder = WidthRecorder(vae.decoder)
        with torch.inference_mode():
            frames.append(vae.decode(latents).sample)
        assert recorder.widths == widths
    assert frames[0].shape == frames[1].shape == (1, 3, 64, 320)
