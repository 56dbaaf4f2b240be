"""Pulling checkpoints from a hub: only what is read, past what cannot be had, and on from where it was interrupted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cascade.models.checkpoints.hub import used_files
from tests.models.checkpoints.stand_in_hub import StandInHub

NAME = "someone/keyframes"
BLOCK = bytes(range(256)) * 4096  # a megabyte

DOWNLOAD = """
import sys
from cascade.models.checkpoints.hub import download
from cascade.models.errors import CheckpointError
try:
    print(download(sys.argv[1], tuple(sys.argv[2:])))
except CheckpointError as error:
    sys.exit(str(error))
"""


def environment(hub: StandInHub, tmp_path: Path) -> dict[str, str]:
    return os.environ | {
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(tmp_path / "hub"),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "CASCADE_CHECKPOINTS_DIR": str(tmp_path / "checkpoints"),
    }


def download(hub: StandInHub, tmp_path: Path, *parts: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", DOWNLOAD, NAME, *parts],
        env=environment(hub, tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def hub() -> Iterator[StandInHub]:
    files = {
        "model_index.json": b"{}",
        "unet/config.json": b'{"width": 4}',
        "unet/diffusion_pytorch_model.safetensors": BLOCK,
        "unet/diffusion_pytorch_model.fp16.safetensors": b"half",
        "unet/diffusion_pytorch_model.bin": b"a pickle",
        "text_encoder/config.json": b"{}",
        "text_encoder/model.safetensors": b"second T5",
    }
    with StandInHub({NAME: files}).serve() as hub:
        yield hub


def test_only_the_parts_asked_for_are_downloaded_in_one_precision(hub: StandInHub, tmp_path: Path) -> None:
    done = download(hub, tmp_path, "unet")
    assert done.returncode == 0, done.stderr
    assert hub.files_asked() == [
        f"{NAME}/model_index.json",
        f"{NAME}/unet/config.json",
        f"{NAME}/unet/diffusion_pytorch_model.safetensors",
    ]
    assert (Path(done.stdout.strip()) / "unet" / "diffusion_pytorch_model.safetensors").read_bytes() == BLOCK


def test_a_broken_connection_is_taken_up_inside_a_file(hub: StandInHub, tmp_path: Path) -> None:
    name = f"{NAME}/unet/diffusion_pytorch_model.safetensors"
    content = bytes(24 * 2**20)  # it is written in blocks of 10 MiB
    hub.repositories[NAME]["unet/diffusion_pytorch_model.safetensors"] = content
    hub.cuts[name] = 1
    done = download(hub, tmp_path, "unet")
    assert done.returncode == 0, done.stderr
    assert [wanted for file, wanted in hub.asked if file == name] == ["", f"bytes={10 * 2**20}-"]
    assert (
        Path(done.stdout.strip()) / "unet" / "diffusion_pytorch_model.safetensors"
    ).read_bytes() == content


def test_after_a_kill_whole_files_are_kept_and_the_cut_one_begins_again(
    hub: StandInHub, tmp_path: Path
) -> None:
    name = f"{NAME}/unet/diffusion_pytorch_model.safetensors"
    hub.stuck = name
    assert download(hub, tmp_path, "text_encoder").returncode == 0
    with subprocess.Popen(
        [sys.executable, "-c", DOWNLOAD, NAME, "unet"],
        env=environment(hub, tmp_path),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert hub.is_stuck.wait(60)
        process.send_signal(signal.SIGKILL)
    hub.stuck = None
    hub.free.set()
    hub.asked.clear()
    done = download(hub, tmp_path, "unet", "text_encoder")
    assert done.returncode == 0, done.stderr
    assert (name, "") in hub.asked
    assert not [file for file, _ in hub.asked if "text_encoder" in file]
    assert (Path(done.stdout.strip()) / "unet" / "diffusion_pytorch_model.safetensors").read_bytes() == BLOCK


def test_a_repository_that_is_gated_or_missing_is_one_line(tmp_path: Path) -> None:
    with StandInHub({NAME: {"model_index.json": b"{}"}}, gated=frozenset({NAME})).serve() as hub:
        gated = download(hub, tmp_path, "unet")
    with StandInHub({}).serve() as hub:
        missing = download(hub, tmp_path, "unet")
    for done in (gated, missing):
        assert done.returncode == 1
        assert f'"{NAME}" cannot be had from the hub: ' in done.stderr
        assert "Traceback" not in done.stderr


def published(*parts: str) -> dict[str, bytes]:
    """The files of a published checkpoint: both precisions and both formats of every network."""
    files = {"model_index.json": b"{}", "README.md": b"#", "safety_checker/model.safetensors": b"checker"}
    for part in parts:
        stem = "model" if part == "text_encoder" else "diffusion_pytorch_model"
        files[f"{part}/config.json"] = b"{}"
        for ending in ("safetensors", "fp16.safetensors", "bin", "fp16.bin"):
            files[f"{part}/{stem}.{ending}"] = f"{part} {ending}".encode()
    for part in ("scheduler", "image_noising_scheduler"):
        files[f"{part}/scheduler_config.json"] = b"{}"
    files["tokenizer/spiece.model"] = b"pieces"
    return files


def test_the_command_takes_what_the_preset_reads_and_goes_on_past_a_gated_optional_one(
    tmp_path: Path,
) -> None:
    repositories = {
        "showlab/show-1-base": published("unet", "text_encoder"),
        "showlab/show-1-interpolation": published("unet", "text_encoder"),
        "showlab/show-1-sr1": published("unet", "text_encoder"),
        "DeepFloyd/IF-II-L-v1.0": published("unet", "text_encoder"),
        "showlab/show-1-sr2": published("unet", "vae", "text_encoder"),
    }
    optional = "DeepFloyd/IF-II-L-v1.0"
    with StandInHub(repositories, gated=frozenset({optional})).serve() as hub:
        done = subprocess.run(
            [sys.executable, "-m", "cascade", "checkpoints", "pull", "show-1"],
            env=environment(hub, tmp_path),
            capture_output=True,
            text=True,
            check=False,
        )
        weights = [name for name in hub.files_asked() if name.endswith((".safetensors", ".bin"))]
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert [line for line in done.stdout.splitlines() if optional in line and "(optional; going on)" in line]
    assert weights == [
        "showlab/show-1-base/text_encoder/model.safetensors",
        "showlab/show-1-base/unet/diffusion_pytorch_model.safetensors",
        "showlab/show-1-interpolation/unet/diffusion_pytorch_model.safetensors",
        "showlab/show-1-sr1/unet/diffusion_pytorch_model.safetensors",
        "showlab/show-1-sr2/text_encoder/model.safetensors",
        "showlab/show-1-sr2/unet/diffusion_pytorch_model.safetensors",
        "showlab/show-1-sr2/vae/diffusion_pytorch_model.safetensors",
    ]


def test_of_shards_the_index_and_all_of_one_precision_are_used() -> None:
    names = [
        "text_encoder/config.json",
        "text_encoder/model-00001-of-00002.safetensors",
        "text_encoder/model-00002-of-00002.safetensors",
        "text_encoder/model.safetensors.index.json",
        "text_encoder/model.fp16-00001-of-00002.safetensors",
        "text_encoder/model.fp16-00002-of-00002.safetensors",
        "text_encoder/model.safetensors.index.fp16.json",
        "text_encoder/pytorch_model-00001-of-00002.bin",
        "text_encoder/pytorch_model.bin.index.json",
        "unet/config.json",
    ]
    assert used_files(names, "text_encoder") == names[:4]


SCRIPT = """
import sys
from dataclasses import replace
from pathlib import Path
from cascade.models.checkpoints.files import locate, verify
from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.checkpoints.requirements import requirements
from cascade.models.families.shapes.unet import ShapesUNet
from cascade.models.presets.shapes import SHAPES
from cascade.models.runtime.execution import Execution

folder, name = Path(sys.argv[1]), "someone/keyframes"
assert locate(folder, name) is None
requirement = replace(requirements(SHAPES)[0], name=name)
checkpoints = Checkpoints(folder)
checkpoints.network(name, ShapesUNet, Execution(device="cpu"))
checkpoints.path(name, requirement.parts)
path = locate(folder, name)
print(verify(path, requirement))
blob = (path / "unet" / "config.json").resolve()
blob.write_text(blob.read_text() + " ")
print(verify(path, requirement))
"""


def test_a_pulled_checkpoint_is_whole_verified_and_without_pickles(
    shapes_checkpoints: Path, tmp_path: Path
) -> None:
    folder = shapes_checkpoints / "shapes" / "keyframes"
    files = {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    files["unet/old_weights.bin"] = b"a pickle"
    with StandInHub({NAME: files}).serve() as hub:
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, str(tmp_path / "checkpoints")],
            env=environment(hub, tmp_path),
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    whole, damaged = done.stdout.splitlines()
    assert whole == "[]"
    assert "unet/config.json is damaged" in damaged
    assert f"{NAME}/unet/diffusion_pytorch_model.safetensors" in hub.files_asked()
    assert f"{NAME}/unet/old_weights.bin" not in hub.files_asked()
