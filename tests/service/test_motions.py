"""Motions by name: added, offered, asked for and removed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
import torch

from cascade.models.families.show1.motion import pack_motion
from cascade.service.stack.embedded import Credentials
from cascade.workers.errors import ArtifactLost
from cascade.workers.job_queue import Conveyor
from cascade.workers.storage.artifacts import stage_key


def test_a_motion_is_offered_asked_for_and_removed(client: httpx.Client, conveyor: Conveyor) -> None:
    asked = {"prompt": "a red circle", "motion": "zigzag"}
    refused = client.post("/v1/videos", json=asked)
    assert (refused.status_code, refused.json()["error"]["param"]) == (422, "motion")
    assert "it has none" in refused.json()["detail"]
    first = conveyor.motions.add("shapes", "zigzag", b"adapter")
    assert client.get("/v1/models").json()["data"][0]["motions"] == ["zigzag"]
    video = client.post("/v1/videos", json=asked).json()
    assert video["motion"] == "zigzag"
    job = conveyor.jobs.get(video["id"])
    assert conveyor.motions.content(job.request.motion) == b"adapter"

    conveyor.motions.add("shapes", "zigzag", b"another")
    assert conveyor.motions.content(first) == b"adapter"
    later = conveyor.jobs.get(client.post("/v1/videos", json=asked).json()["id"])
    kind = job.stages[0].kind
    assert stage_key(later, kind).split("/")[-1] != stage_key(job, kind).split("/")[-1]

    assert conveyor.motions.remove("shapes", "zigzag")
    assert not conveyor.motions.remove("shapes", "zigzag")
    assert client.post("/v1/videos", json=asked).status_code == 422
    for motion in (first, later.request.motion):
        with pytest.raises(ArtifactLost):
            conveyor.motions.content(motion)


@pytest.mark.parametrize("name", ["", "../x", "Zig Zag", "a" * 65, "-x"])
def test_names_are_plain(name: str, conveyor: Conveyor) -> None:
    with pytest.raises(ValueError):
        conveyor.motions.add("shapes", name, b"adapter")


def test_motions_on_the_command_line(servers: Credentials, conveyor: Conveyor, tmp_path: Path) -> None:
    adapter = pack_motion({"down_blocks.0.temp_attentions.0.proj_in.weight": torch.zeros(2, 2)})
    (tmp_path / "x.safetensors").write_bytes(adapter)
    (tmp_path / "other.safetensors").write_bytes(b"adapter")

    def motions(*args: str) -> subprocess.CompletedProcess[str]:
        env = os.environ | {
            "CASCADE_REDIS_URL": servers.redis_url,
            "CASCADE_S3_ENDPOINT_URL": servers.s3_endpoint_url,
            "CASCADE_S3_ACCESS_KEY": servers.s3_access_key,
            "CASCADE_S3_SECRET_KEY": servers.s3_secret_key,
            "CASCADE_S3_BUCKET": "test-gateway",
        }
        command = [sys.executable, "-m", "cascade", "motions", *args]
        return subprocess.run(command, env=env, capture_output=True, text=True, check=False)

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
