"""Real web servers that webhooks are delivered to."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from cascade.workers.settings import Settings
from tests.workers.webhooks.target import StartTarget, Target


@pytest.fixture
def start_target() -> Iterator[StartTarget]:
    servers = []

    def start(*codes: int, location: str | None = None) -> Target:
        target = Target(list(codes or (200,)), location)

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                target.received.append(({k.lower(): v for k, v in self.headers.items()}, body))
                self.send_response(target.answer())
                if target.location:
                    self.send_header("location", target.location)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        target.url = f"http://127.0.0.1:{server.server_port}/hook"
        return target

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def settings(settings: Settings) -> Settings:
    changes = {"webhook_private_targets": True, "webhook_backoff_s": 0.0, "webhook_timeout_s": 1.0}
    return settings.model_copy(update=changes)
