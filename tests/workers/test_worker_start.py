"""A worker that starts while the object store is away."""

from __future__ import annotations

import threading
from pathlib import Path

from cascade.service.stack.embedded import credentials_of, s3_program
from cascade.workers.settings import Settings
from cascade.workers.storage.object_store import ObjectStore
from cascade.workers.worker import _wait_for_bucket
from tests.conftest import run_server


def test_it_waits_for_the_object_store_instead_of_ending(tmp_path: Path) -> None:
    credentials = credentials_of(tmp_path)
    objects = ObjectStore(
        Settings.model_validate(
            {
                "s3_endpoint_url": credentials.s3_endpoint_url,
                "s3_access_key": credentials.s3_access_key,
                "s3_secret_key": credentials.s3_secret_key,
            }
        ),
        timeout_s=2,
        attempts=1,
    )
    waiting = threading.Thread(target=_wait_for_bucket, args=(objects,))
    waiting.start()
    waiting.join(0.5)
    assert waiting.is_alive()
    server = run_server(s3_program(credentials, tmp_path), credentials.s3_port)
    try:
        waiting.join(20)
        assert not waiting.is_alive()
        objects.check()
    finally:
        server.terminate()
        server.wait(10)
