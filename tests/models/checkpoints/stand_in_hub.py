"""A hub that serves folders over HTTP, as far as huggingface_hub asks it: none is reachable where the tests run."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

COMMIT = "0" * 39 + "1"


@dataclass
class StandInHub:
    """What the hub has, and what it was asked for.

    Attributes:
        repositories: content by file, by repository.
        gated: repositories whose files nobody may have.
        cuts: how often a file's transfer still breaks in the middle, by the file's name.
        stuck: a file whose transfer stops in the middle until `free` is set.
        asked: (repository/file, Range header or "") of every download.
    """

    repositories: dict[str, dict[str, bytes]]
    gated: frozenset[str] = frozenset()
    cuts: dict[str, int] = field(default_factory=dict)
    stuck: str | None = None
    is_stuck: threading.Event = field(default_factory=threading.Event)
    free: threading.Event = field(default_factory=threading.Event)
    asked: list[tuple[str, str]] = field(default_factory=list)
    url: str = ""

    def files_asked(self) -> list[str]:
        return sorted({name for name, _ in self.asked})

    @contextmanager
    def serve(self) -> Iterator[StandInHub]:
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                hub._answer(self)

            def do_GET(self) -> None:
                hub._answer(self)

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        self.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield self
        finally:
            self.free.set()
            server.shutdown()
            server.server_close()
            thread.join()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        path = unquote(urlsplit(request.path).path)
        for name, files in self.repositories.items():
            file = path.removeprefix(f"/{name}/resolve/{COMMIT}/").removeprefix(f"/{name}/resolve/main/")
            if path.startswith(f"/api/models/{name}/tree/"):
                entries = [_entry(file, content) for file, content in files.items()]
                return _send(request, 200, json.dumps(entries).encode(), {})
            if path == f"/api/models/{name}" or path.startswith(f"/api/models/{name}/revision/"):
                siblings = [{"rfilename": file} for file in files]
                return _send(
                    request, 200, json.dumps({"id": name, "sha": COMMIT, "siblings": siblings}).encode(), {}
                )
            if file != path and name in self.gated:
                return _send(request, 403, b"", {"X-Error-Code": "GatedRepo"})
            if file in files:
                return self._send_file(request, f"{name}/{file}", files[file])
        return _send(request, 404, b"", {"X-Error-Code": "RepoNotFound"})

    def _send_file(self, request: BaseHTTPRequestHandler, name: str, content: bytes) -> None:
        wanted = request.headers.get("Range", "")
        start = int(wanted.removeprefix("bytes=").split("-")[0]) if wanted else 0
        etag = hashlib.sha256(content).hexdigest()
        headers = {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
        if wanted:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        if request.command == "HEAD":
            return _send(request, 200, content, headers)
        self.asked.append((name, wanted))
        breaks = self.cuts.get(name, 0) > 0
        if breaks:
            self.cuts[name] -= 1
        body, until = content[start:], len(content) // 2 if breaks or name == self.stuck else None
        _send(request, 206 if wanted else 200, body, headers, until)
        if name == self.stuck:
            request.wfile.flush()
            self.is_stuck.set()
            self.free.wait(60)
        return None


def _send(
    request: BaseHTTPRequestHandler,
    status: int,
    content: bytes,
    headers: dict[str, str],
    until: int | None = None,
) -> None:
    request.send_response(status)
    for key, value in (headers | {"Content-Length": str(len(content))}).items():
        request.send_header(key, value)
    request.end_headers()
    if request.command == "GET":
        request.wfile.write(content[:until])
    request.close_connection = True


def _entry(name: str, content: bytes) -> dict[str, object]:
    digest = hashlib.sha256(content).hexdigest()
    lfs = {"oid": digest, "size": len(content), "pointerSize": 130}
    return {"type": "file", "path": name, "size": len(content), "oid": digest[:40], "lfs": lfs}
