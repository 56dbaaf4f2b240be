"""Every layout of a network's files loads alike, and every fault is one line with the file's name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from cascade.models.checkpoints.files import verify
from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.checkpoints.weight_files import choose_weights
from cascade.models.errors import CheckpointError
from cascade.models.runtime.execution import Execution
from tests.models.checkpoints.small_network import REQUIREMENT, SmallNetwork, write_small_network

Tensors = dict[str, Tensor]
FILE = "diffusion_pytorch_model.safetensors"
POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 3438167540\n"


def load(folder: Path) -> SmallNetwork:
    return Checkpoints(folder).network("some/network", SmallNetwork, Execution(device="cpu"))


@pytest.fixture
def unet(tmp_path: Path) -> Path:
    """The folder of a network whose files a test writes anew."""
    folder = write_small_network(tmp_path) / "unet"
    (folder.parent / "SHA256SUMS").unlink()
    return folder


def halves(tensors: Tensors) -> tuple[Tensors, Tensors]:
    names = sorted(tensors)
    return {name: tensors[name] for name in names[:2]}, {name: tensors[name] for name in names[2:]}


def write_index(index: Path, shards: dict[str, Tensors]) -> None:
    entries = {name: shard for shard, tensors in shards.items() for name in tensors}
    index.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": entries}))


def one_file(name: str) -> Callable[[Path, Tensors], None]:
    def write(folder: Path, tensors: Tensors) -> None:
        if name.endswith(".safetensors"):
            save_file(tensors, folder / name)
        else:
            torch.save(tensors, folder / name)

    return write


def shards(first: str, second: str, index: str | None) -> Callable[[Path, Tensors], None]:
    def write(folder: Path, tensors: Tensors) -> None:
        for name, half in zip((first, second), halves(tensors), strict=True):
            one_file(name)(folder, half)
        if index is not None:
            write_index(folder / index, dict(zip((first, second), halves(tensors), strict=True)))

    return write


def nested(folder: Path, tensors: Tensors) -> None:
    torch.save({"state_dict": tensors, "epoch": 3}, folder / "diffusion_pytorch_model.pt")


def old_format(folder: Path, tensors: Tensors) -> None:
    torch.save(tensors, folder / "diffusion_pytorch_model.bin", _use_new_zipfile_serialization=False)


def linked(folder: Path, tensors: Tensors) -> None:
    """As the hub's cache: a link to a file that is named by its digest."""
    blobs = folder.parent / "blobs"
    blobs.mkdir()
    save_file(tensors, blobs / "weights")
    (folder / FILE).symlink_to(Path("..") / "blobs" / "weights")


def with_leftovers(folder: Path, tensors: Tensors) -> None:
    save_file(tensors, folder / FILE)
    (folder / f"{FILE}.incomplete").write_bytes(b"half")
    (folder / "flax_model.msgpack").write_bytes(b"other")


STEM = "diffusion_pytorch_model"
LAYOUTS = {
    "safetensors": one_file(FILE),
    "fp16": one_file(f"{STEM}.fp16.safetensors"),
    "other variant": one_file(f"{STEM}.non_ema.safetensors"),
    "bin": one_file(f"{STEM}.bin"),
    "fp16 bin": one_file(f"{STEM}.fp16.bin"),
    "pt": one_file(f"{STEM}.pt"),
    "of transformers": one_file("model.safetensors"),
    "bin of transformers": one_file("pytorch_model.bin"),
    "state_dict in pt": nested,
    "PyTorch before 1.6": old_format,
    "links": linked,
    "leftovers": with_leftovers,
    "shards": shards(
        f"{STEM}-00001-of-00002.safetensors", f"{STEM}-00002-of-00002.safetensors", f"{FILE}.index.json"
    ),
    "fp16 shards": shards(
        f"{STEM}.fp16-00001-of-00002.safetensors",
        f"{STEM}.fp16-00002-of-00002.safetensors",
        f"{STEM}.safetensors.index.fp16.json",
    ),
    "old fp16 shards": shards(
        f"{STEM}-00001-of-00002.fp16.safetensors",
        f"{STEM}-00002-of-00002.fp16.safetensors",
        f"{STEM}.safetensors.index.fp16.json",
    ),
    "bin shards": shards(
        "pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin", "pytorch_model.bin.index.json"
    ),
    "shards without an index": shards(
        f"{STEM}-00001-of-00002.safetensors", f"{STEM}-00002-of-00002.safetensors", None
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_loads_the_same_tensors(layout: str, unet: Path, tmp_path: Path) -> None:
    tensors = load_file(unet / FILE)
    (unet / FILE).unlink()
    LAYOUTS[layout](unet, tensors)
    loaded = load(tmp_path).state_dict()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in tensors.items())
    assert verify(unet.parent, REQUIREMENT) == []


def cut(folder: Path) -> str:
    content = (folder / FILE).read_bytes()
    (folder / FILE).write_bytes(content[:-7])
    return f"{FILE} is damaged or cut short"


def cut_in_the_header(folder: Path) -> str:
    (folder / FILE).write_bytes((folder / FILE).read_bytes()[:20])
    return f"{FILE} is damaged or cut short"


def cut_bin(folder: Path) -> str:
    name = f"{STEM}.bin"
    torch.save(load_file(folder / FILE), folder / name)
    (folder / FILE).unlink()
    (folder / name).write_bytes((folder / name).read_bytes()[:-500])
    return f"{name} is not read: it holds more than tensors, or is damaged"


def empty(folder: Path) -> str:
    (folder / FILE).write_bytes(b"")
    return f"{FILE} is empty"


def pointer(folder: Path) -> str:
    (folder / FILE).write_text(POINTER)
    return f"{FILE} is a Git LFS pointer"


def pointer_for_bin(folder: Path) -> str:
    (folder / FILE).unlink()
    (folder / f"{STEM}.bin").write_text(POINTER)
    return f"{STEM}.bin is a Git LFS pointer"


def pointer_for_configuration(folder: Path) -> str:
    (folder / "config.json").write_text(POINTER)
    return "config.json is a Git LFS pointer"


def web_page(folder: Path) -> str:
    (folder / FILE).write_text("<!DOCTYPE html><html>Sign in</html>")
    return f"{FILE} is a web page"


def not_a_number(folder: Path) -> str:
    tensors = load_file(folder / FILE)
    tensors["last.weight"][0, 3] = float("nan")
    save_file(tensors, folder / FILE)
    return f"{FILE} is damaged: last.weight holds numbers that are not finite"


def infinite_halves(folder: Path) -> str:
    tensors = {name: tensor.half() for name, tensor in load_file(folder / FILE).items()}
    tensors["first.bias"][2] = float("-inf")
    (folder / FILE).unlink()
    torch.save(tensors, folder / f"{STEM}.fp16.bin")
    return f"{STEM}.fp16.bin is damaged: first.bias holds numbers that are not finite"


def dangling(folder: Path) -> str:
    (folder / FILE).unlink()
    (folder / FILE).symlink_to("../../blobs/gone")
    return f"{FILE}, which is missing (a link to ../../blobs/gone, which is not there)"


def half_downloaded(folder: Path) -> str:
    (folder / FILE).rename(folder / f"{FILE}.incomplete")
    return f"only partly downloaded: {FILE}.incomplete"


def partly_downloaded(folder: Path) -> str:
    (folder / FILE).rename(folder / f"{FILE}.part")
    return f"only partly downloaded: {FILE}.part"


def preallocated(folder: Path) -> str:
    (folder / f"{FILE}.aria2").write_bytes(b"\0")
    return f"{FILE}.aria2 lies beside it"


def other_formats(folder: Path) -> str:
    (folder / FILE).unlink()
    (folder / "flax_model.msgpack").write_bytes(b"x")
    return "found flax_model.msgpack, which are not read"


def sharded(folder: Path) -> Tensors:
    tensors = load_file(folder / FILE)
    (folder / FILE).unlink()
    LAYOUTS["shards"](folder, tensors)
    return tensors


def index_without_shard(folder: Path) -> str:
    sharded(folder)
    (folder / f"{STEM}-00002-of-00002.safetensors").rename(
        folder / f"{STEM}-00002-of-00002.safetensors.incomplete"
    )
    return f"names {STEM}-00002-of-00002.safetensors, which is missing (only partly downloaded"


def index_without_any_shard(folder: Path) -> str:
    sharded(folder)
    for file in folder.glob("*.safetensors"):
        file.unlink()
    return f"{FILE}.index.json names {STEM}-00001-of-00002.safetensors, which is missing"


def shard_without_index_and_shard(folder: Path) -> str:
    sharded(folder)
    (folder / f"{FILE}.index.json").unlink()
    (folder / f"{STEM}-00001-of-00002.safetensors").unlink()
    return f"{STEM}-00001-of-00002.safetensors, which is missing"


def index_that_is_cut(folder: Path) -> str:
    sharded(folder)
    index = folder / f"{FILE}.index.json"
    index.write_text(index.read_text()[:40])
    return f"{FILE}.index.json is not JSON"


def index_without_a_map(folder: Path) -> str:
    sharded(folder)
    (folder / f"{FILE}.index.json").write_text('{"weight_map": ["a"]}')
    return f"{FILE}.index.json is no index of shards"


def shard_that_lacks_a_tensor(folder: Path) -> str:
    tensors = sharded(folder)
    save_file({"last.weight": tensors["last.weight"]}, folder / f"{STEM}-00002-of-00002.safetensors")
    return f"{FILE}.index.json names last.bias, which no shard holds"


def missing_tensor(folder: Path) -> str:
    tensors = load_file(folder / FILE)
    del tensors["last.bias"]
    save_file(tensors, folder / FILE)
    return "missing last.bias (1,)"


def extra_tensor(folder: Path) -> str:
    save_file(load_file(folder / FILE) | {"surprise": torch.zeros(2)}, folder / FILE)
    return "unexpected surprise (2,)"


def wrong_shape(folder: Path) -> str:
    save_file(load_file(folder / FILE) | {"last.bias": torch.zeros(2)}, folder / FILE)
    return "last.bias is (2,), not (1,)"


def a_pickle_of_more(folder: Path) -> str:
    (folder / FILE).unlink()
    torch.save({"first.weight": print}, folder / f"{STEM}.bin")
    return f"{STEM}.bin is not read: it holds more than tensors"


def a_list(folder: Path) -> str:
    (folder / FILE).unlink()
    torch.save([torch.zeros(1)], folder / f"{STEM}.pt")
    return f"{STEM}.pt holds more than tensors by name"


def a_link_to_itself(folder: Path) -> str:
    (folder / FILE).unlink()
    (folder / FILE).symlink_to(FILE)
    return f"{FILE}, which is missing (a link to {FILE}, which is not there)"


def sparse_tensors(folder: Path) -> str:
    tensors = load_file(folder / FILE)
    (folder / FILE).unlink()
    torch.save({name: tensor.to_sparse() for name, tensor in tensors.items()}, folder / f"{STEM}.bin")
    return f"{STEM}.bin holds more than tensors by name"


def tensors_by_number(folder: Path) -> str:
    tensors = load_file(folder / FILE)
    (folder / FILE).unlink()
    torch.save(dict(enumerate(tensors.values())), folder / f"{STEM}.bin")
    return f"{STEM}.bin holds more than tensors by name"


def nonsense_configuration(folder: Path) -> str:
    (folder / "config.json").write_text('{"width": "wide"}')
    return "config.json makes no SmallNetwork"


def configuration_of_a_list(folder: Path) -> str:
    (folder / "config.json").write_text("[]")
    return "config.json is not a JSON object"


FAULTS = [
    cut, cut_in_the_header, cut_bin, empty, pointer, pointer_for_bin, pointer_for_configuration, web_page,
    not_a_number, infinite_halves, dangling, half_downloaded, partly_downloaded, preallocated, other_formats,
    index_without_shard, index_without_any_shard, shard_without_index_and_shard, index_that_is_cut,
    index_without_a_map, shard_that_lacks_a_tensor, missing_tensor, extra_tensor, wrong_shape, a_pickle_of_more,
    a_list, a_link_to_itself, sparse_tensors, tensors_by_number, nonsense_configuration, configuration_of_a_list,
]  # fmt: skip


@pytest.mark.parametrize("damage", FAULTS)
def test_every_fault_is_one_line_with_the_files_name(
    damage: Callable[[Path], str], unet: Path, tmp_path: Path
) -> None:
    fault = damage(unet)
    with pytest.raises(CheckpointError) as refused:
        load(tmp_path)
    assert fault in str(refused.value)
    assert "\n" not in str(refused.value)
    verified = verify(unet.parent, REQUIREMENT)
    assert any(fault in line for line in verified), verified
    assert not any("\n" in line for line in verified)


def test_weights_of_integers_are_refused(unet: Path, tmp_path: Path) -> None:
    tensors = load_file(unet / FILE)
    save_file(tensors | {"last.weight": tensors["last.weight"].to(torch.int8)}, unet / FILE)
    with pytest.raises(CheckpointError, match=r"last\.weight holds int8, not floating-point numbers"):
        load(tmp_path)


def test_full_precision_in_safetensors_is_chosen_before_all_others() -> None:
    names = [
        "model.fp16.safetensors",
        "pytorch_model.bin",
        "model.safetensors",
        "pytorch_model.fp16.bin",
        "model.bf16.safetensors",
        "config.json",
        "tf_model.h5",
        "model.safetensors.incomplete",
    ]
    order = []
    while chosen := choose_weights(names):
        order += chosen
        names = [name for name in names if name not in chosen]
    assert order == [
        "model.safetensors",
        "model.bf16.safetensors",
        "model.fp16.safetensors",
        "pytorch_model.bin",
        "pytorch_model.fp16.bin",
    ]
