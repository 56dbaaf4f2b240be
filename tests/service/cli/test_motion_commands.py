"""`cascade motions`: motions of a deployment, on the command line."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from cascade.models.families.show1.motion import pack_motion
from cascade.service.stack.embedded import Credentials
from cascade.workers.servers import Servers
from tests.models.training.recordings import MATRICES, grays, record, turn


def test_motions_are_added_listed_and_removed(
    servers: Credentials,
    connected: Servers,
    tmp_path: Path,
    cascade: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    adapter = pack_motion({"down_blocks.0.temp_attentions.0.proj_in.weight": torch.zeros(2, 2)})
    (tmp_path / "x.safetensors").write_bytes(adapter)
    (tmp_path / "other.safetensors").write_bytes(b"adapter")

    def motions(*args: str) -> subprocess.CompletedProcess[str]:
        return cascade(
            "motions",
            *args,
            CASCADE_REDIS_URL=servers.redis_url,
            CASCADE_S3_ENDPOINT_URL=servers.s3_endpoint_url,
            CASCADE_S3_ACCESS_KEY=servers.s3_access_key,
            CASCADE_S3_SECRET_KEY=servers.s3_secret_key,
            CASCADE_S3_BUCKET="test-gateway",
        )

    assert motions("add", "zigzag", str(tmp_path / "x.safetensors")).returncode == 0
    assert "zigzag" in motions("list").stdout
    assert motions("remove", "zigzag").returncode == 0
    assert motions("remove", "zigzag").returncode == 1
    for refused in (
        ("Zig", "x.safetensors"),
        ("zigzag", "other.safetensors"),
        ("zigzag", "x.safetensors", "--preset", "wan"),
        ("zigzag", "x.safetensors", "--preset", "nope"),
    ):
        name, file, *options = refused
        assert motions("add", name, str(tmp_path / file), *options).returncode == 2, refused
    assert "zigzag" not in motions("list").stdout


@pytest.mark.slow
def test_a_motion_is_trained_from_a_recording(
    tmp_path: Path, cascade: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """On a CPU, of which some crashed where frames lay in memory as a decoder leaves them."""
    phone = turn(record(tmp_path / "any.mp4", grays(24), rate=24), MATRICES["a quarter clockwise"])
    output = tmp_path / "new" / "motion.safetensors"
    options = ("--caption", "a gray wall", "--fps", "8", "--steps", "2", "-o", str(output))
    done = cascade("motions", "train", str(phone), *options)
    assert done.returncode == 0, done.stderr
    assert load_file(output)
