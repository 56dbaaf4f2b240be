"""Pulling a checkpoint from a hub. The hub itself is a stand-in that serves a folder over HTTP: none is reachable."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

COMMIT = "0" * 39 + "1"
NAME = "someone/keyframes"


@pytest.fixture
def hub(shapes_checkpoints: Path) -> Iterator[tuple[str, list[str]]]:
    """The address of a hub that has one repository, and the files it was asked for."""
    folder, asked = shapes_checkpoints / "shapes" / "keyframes", list[str]()
    files = {str(file.relative_to(folder)): file for file in folder.rglob("*") if file.is_file()}
    (folder / "unet" / "old_weights.bin").write_bytes(b"a pickle")
    files["unet/old_weights.bin"] = folder / "unet" / "old_weights.bin"

    def entry(name: str, file: Path) -> dict[str, object]:
        size, digest = file.stat().st_size, hashlib.sha256(file.read_bytes()).hexdigest()
        lfs = {"oid": digest, "size": size, "pointerSize": 130}
        return {"type": "file", "path": name, "size": size, "oid": digest[:40], "lfs": lfs}

    class Hub(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            path = unquote(urlsplit(self.path).path)
            name = path.removeprefix(f"/{NAME}/resolve/{COMMIT}/")
            if path.startswith(f"/api/models/{NAME}/tree/"):
                self._send(200, json.dumps([entry(*item) for item in files.items()]).encode(), {})
            elif path.startswith(f"/api/models/{NAME}"):
                info = {"id": NAME, "sha": COMMIT, "siblings": [{"rfilename": name} for name in files]}
                self._send(200, json.dumps(info).encode(), {})
            elif name in files:
                content = files[name].read_bytes()
                if self.command == "GET":
                    asked.append(name)
                self._send(
                    200,
                    content,
                    {
                        "ETag": f'"{hashlib.sha256(content).hexdigest()}"',
                        "X-Repo-Commit": COMMIT,
                        "Accept-Ranges": "bytes",
                    },
                )
            else:
                self._send(404, b"", {})

        def _send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for key, value in (headers | {"Content-Length": str(len(content))}).items():
                self.send_header(key, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()
    (folder / "unet" / "old_weights.bin").unlink()


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
Checkpoints(folder).network(name, ShapesUNet, Execution(device="cpu"))
path = locate(folder, name)
requirement = replace(requirements(SHAPES)[0], name=name)
print(verify(path, requirement))
blob = (path / "unet" / "config.json").resolve()
blob.write_text(blob.read_text() + " ")
print(verify(path, requirement))
"""


def test_a_pulled_checkpoint_is_whole_verified_and_without_pickles(
    hub: tuple[str, list[str]], tmp_path: Path
) -> None:
    url, asked = hub
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "checkpoints")],
        env=os.environ | {"HF_ENDPOINT": url, "HF_HOME": str(tmp_path / "hub"), "HF_HUB_DISABLE_XET": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    whole, damaged = done.stdout.splitlines()
    assert whole == "[]"
    assert "unet/config.json is damaged" in damaged
    assert "unet/diffusion_pytorch_model.safetensors" in asked
    assert "unet/old_weights.bin" not in asked
