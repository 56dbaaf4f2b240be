"""Checkpoints as files: where they are, and what is wrong with them in words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from cascade.models.checkpoints.files import SHIPPED, locate, read_json, read_weights, verify, write_checksums
from cascade.models.errors import CheckpointError
from tests.models.checkpoints.small_network import REQUIREMENT, SmallNetwork, write_small_network

WEIGHTS = "diffusion_pytorch_model.safetensors"


def test_a_whole_checkpoint_has_no_faults(tmp_path: Path) -> None:
    assert verify(write_small_network(tmp_path), REQUIREMENT) == []


def test_verification_says_exactly_what_is_wrong(tmp_path: Path) -> None:
    path = write_small_network(tmp_path)
    tensors = load_file(path / "unet" / WEIGHTS)
    tensors["first.bias"] = torch.zeros(5)
    tensors["surprise"] = torch.zeros(1)
    del tensors["last.bias"]
    save_file(tensors, path / "unet" / WEIGHTS)
    assert verify(path, REQUIREMENT) == [
        "unet/: missing last.bias (1,)",
        "unet/: unexpected surprise (1,)",
        "unet/: first.bias is (5,), not (8,)",
        f"unet/{WEIGHTS} is damaged: its checksum differs",
    ]


def test_a_missing_part_and_its_files_are_named(tmp_path: Path) -> None:
    path = write_small_network(tmp_path)
    (path / "unet").rename(path / "elsewhere")
    assert verify(path, REQUIREMENT) == [
        "unet/ is missing",
        "unet/config.json is missing",
        f"unet/{WEIGHTS} is missing",
    ]


def test_a_configuration_that_cannot_be_read_is_a_fault(tmp_path: Path) -> None:
    path = write_small_network(tmp_path)
    for content, fault in (("{", "is not JSON"), ("{}", "the width is missing")):
        (path / "unet" / "config.json").write_text(content)
        write_checksums(path)
        (said,) = verify(path, REQUIREMENT)
        assert fault in said


def test_tensors_under_older_names_are_whole_too(tmp_path: Path) -> None:
    path = write_small_network(tmp_path)
    tensors = load_file(path / "unet" / WEIGHTS)
    save_file(
        {name.replace("first.", "entrance."): t for name, t in tensors.items()}, path / "unet" / WEIGHTS
    )
    write_checksums(path)
    assert verify(path, REQUIREMENT) == []


def test_weights_are_read_from_the_shards_of_an_index(tmp_path: Path) -> None:
    folder = write_small_network(tmp_path) / "unet"
    tensors = load_file(folder / WEIGHTS)
    (folder / WEIGHTS).unlink()
    shards = {name: f"shard-{index % 2}.safetensors" for index, name in enumerate(tensors)}
    for shard in set(shards.values()):
        save_file({name: t for name, t in tensors.items() if shards[name] == shard}, folder / shard)
    (folder / f"{WEIGHTS}.index.json").write_text(json.dumps({"weight_map": shards}))
    read = read_weights(folder)
    assert read.keys() == tensors.keys() == SmallNetwork(4).state_dict().keys()
    assert all(torch.equal(read[name], tensor) for name, tensor in tensors.items())
    (folder / "shard-1.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"names shard-1\.safetensors, which is missing"):
        read_weights(folder)


def test_an_index_cannot_lead_out_of_its_folder(tmp_path: Path) -> None:
    folder = write_small_network(tmp_path) / "unet"
    (folder / WEIGHTS).rename(tmp_path / WEIGHTS)
    index = {"weight_map": {"first.weight": f"../../../{WEIGHTS}"}}
    (folder / f"{WEIGHTS}.index.json").write_text(json.dumps(index))
    with pytest.raises(CheckpointError, match="which is missing"):
        read_weights(folder)


def test_a_checkpoint_is_found_in_the_folder_shipped_or_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    shipped = min(SHIPPED.glob("*/*/model_index.json")).parent
    name = str(shipped.relative_to(SHIPPED))
    assert locate(tmp_path, name) == shipped
    (tmp_path / name).mkdir(parents=True)
    assert locate(tmp_path, name) == tmp_path / name
    assert locate(tmp_path, "some/nowhere") is None
    assert locate(tmp_path, "no hub name at all") is None


def test_what_is_not_json_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"config\.json is missing"):
        read_json(tmp_path / "config.json")
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"config\.json is not JSON"):
        read_json(tmp_path / "config.json")
