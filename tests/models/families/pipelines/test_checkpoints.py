"""Checkpoints of diffusers' pipelines: every network that a pipeline reads is checked, in all layouts."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKLWan, FlowMatchEulerDiscreteScheduler, WanPipeline, WanTransformer3DModel
from safetensors.torch import load_file, save_file
from transformers import UMT5Config, UMT5EncoderModel

from cascade.models.checkpoints.files import Requirement, verify
from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.checkpoints.requirements import requirements
from cascade.models.errors import CheckpointError, ExecutionError
from cascade.models.families.pipelines.pipeline import PipelineStage
from cascade.models.families.registry import load_stage
from cascade.models.families.shapes.random_checkpoints import VOCABULARY, _tokenizer
from cascade.models.presets.pipelines import WAN
from cascade.models.runtime.execution import Execution

CPU = Execution(device="cpu")
REQUIREMENT = Requirement("wan", (), pipeline=True)
WEIGHTS = "diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline as it is published: its text encoder in shards."""
    folder = tmp_path_factory.mktemp("pipelines") / "wan"
    torch.manual_seed(0)
    text_encoder = UMT5EncoderModel(
        UMT5Config(vocab_size=VOCABULARY, d_model=32, d_kv=8, d_ff=32, num_layers=1, num_heads=4)
    )
    WanPipeline(
        tokenizer=_tokenizer(),
        text_encoder=text_encoder,
        transformer=WanTransformer3DModel(
            num_attention_heads=2, attention_head_dim=12, text_dim=32, ffn_dim=32, num_layers=1
        ),
        vae=AutoencoderKLWan(base_dim=3, z_dim=16, dim_mult=[1, 1, 1, 1], num_res_blocks=1),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=7.0),
    ).save_pretrained(folder)
    shutil.rmtree(folder / "text_encoder")
    text_encoder.save_pretrained(folder / "text_encoder", max_shard_size="40KB")
    assert len(list((folder / "text_encoder").glob("model-*-of-*.safetensors"))) > 1
    return folder


@pytest.fixture
def wan(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "wan"))


def test_what_is_published_verifies_and_loads_in_the_precision_asked_for(wan: Path) -> None:
    assert verify(wan, REQUIREMENT) == []
    pipeline = Checkpoints(wan.parent).pipeline("wan", Execution(device="cpu", dtype="bfloat16"))
    assert pipeline.vae.dtype == pipeline.text_encoder.dtype == torch.bfloat16
    assert pipeline.transformer.patch_embedding.weight.dtype == torch.bfloat16
    assert pipeline.transformer.scale_shift_table.dtype == torch.float32  # as diffusers keeps it


def test_the_preset_asks_for_all_parts() -> None:
    assert [requirement.pipeline for requirement in requirements(WAN)] == [True]


@pytest.mark.parametrize("part", ["transformer", "vae"])
def test_a_network_that_is_cut_or_lacks_a_tensor_is_named(part: str, wan: Path) -> None:
    file = wan / part / WEIGHTS
    tensors = load_file(file)
    lacking = max(tensors)
    save_file({name: tensor for name, tensor in tensors.items() if name != lacking}, file, {"format": "pt"})
    expected = f"missing {lacking}"
    assert any(expected in line and line.startswith(f"{part}/: ") for line in verify(wan, REQUIREMENT))
    with pytest.raises(CheckpointError, match=rf"{part} does not fit its configuration: missing"):
        Checkpoints(wan.parent).pipeline("wan", CPU)
    file.write_bytes(file.read_bytes()[:-10])
    assert [
        line for line in verify(wan, REQUIREMENT) if f"{part}/: {WEIGHTS} is damaged or cut short" in line
    ]
    with pytest.raises(CheckpointError, match=f"{part}/{WEIGHTS} is damaged or cut short"):
        Checkpoints(wan.parent).pipeline("wan", CPU)


def test_a_missing_part_or_shard_is_named(wan: Path) -> None:
    shard = max((wan / "text_encoder").glob("model-*.safetensors"))
    shard.unlink()
    shutil.rmtree(wan / "transformer")
    faults = verify(wan, REQUIREMENT)
    assert "transformer/ is missing" in faults
    assert any(f"names {shard.name}, which is missing" in line for line in faults)


def test_networks_in_pytorchs_format_and_half_precision_load(wan: Path) -> None:
    file = wan / "transformer" / WEIGHTS
    torch.save(load_file(file), wan / "transformer" / "diffusion_pytorch_model.fp16.bin")
    file.unlink()
    assert verify(wan, REQUIREMENT) == []
    assert Checkpoints(wan.parent).pipeline("wan", CPU).transformer.dtype == torch.float32


def test_a_damaged_index_is_named(wan: Path) -> None:
    (wan / "model_index.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"model_index\.json is not JSON"):
        Checkpoints(wan.parent).pipeline("wan", CPU)
    assert "model_index.json is not JSON" in verify(wan, REQUIREMENT)[0]
    (wan / "model_index.json").write_text('{"_class_name": "WishPipeline"}')
    with pytest.raises(CheckpointError, match="diffusers has none that is called"):
        Checkpoints(wan.parent).pipeline("wan", CPU)


@pytest.mark.parametrize("offload", ["model", "group"])
def test_offloading_is_no_fault_where_there_is_only_a_cpu(offload: Any, whole: Path) -> None:
    spec = replace(WAN.stages[0], checkpoint="wan")
    stage = load_stage(spec, Checkpoints(whole.parent), replace(CPU, offload=offload))
    assert isinstance(stage, PipelineStage)
    assert stage.pipeline.device.type == "cpu"


@pytest.mark.parametrize("attention", ["flash", "cudnn", "efficient"])
def test_a_kernel_that_a_pipeline_cannot_run_by_is_refused_by_name(attention: Any, whole: Path) -> None:
    spec = replace(WAN.stages[0], checkpoint="wan")
    with pytest.raises(ExecutionError, match=f'attention "{attention}" cannot run'):
        load_stage(spec, Checkpoints(whole.parent), replace(CPU, attention=attention))
