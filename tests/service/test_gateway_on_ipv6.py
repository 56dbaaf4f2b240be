"""The gateway on an IPv6 address, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import httpx

from cascade.service.client import Client
from cascade.service.stack.embedded import free_port, port_is_free
from cascade.workers.settings import Settings


def test_the_gateway_answers_on_an_ipv6_address_to_the_client(settings: Settings) -> None:
    port = free_port()
    assert port_is_free(port, "::1")
    env = {
        "CASCADE_HOST": "::1",
        "CASCADE_PORT": str(port),
        "CASCADE_REDIS_URL": settings.redis_url.get_secret_value(),
    }
    with subprocess.Popen([sys.executable, "-m", "cascade", "gateway"], env=os.environ | env) as gateway:
        try:
            deadline = time.monotonic() + 120
            while True:
                try:
                    answer = httpx.get(f"http://[::1]:{port}/healthz", timeout=30)
                    break
                except httpx.TransportError:
                    assert gateway.poll() is None and time.monotonic() < deadline
                    time.sleep(0.1)
            assert answer.status_code == 200
            assert not port_is_free(port, "::1")
            with Client(f"http://[::1]:{port}") as client:  # no key: it listens on loopback
                assert client.list().data == []
        finally:
            gateway.terminate()
