"""The whole stack on one machine: Redis, S3, one worker per queue and the gateway, supervised."""

from __future__ import annotations

import fcntl
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO

import httpx
from pydantic import SecretStr

from cascade.models.presets.table import get_preset
from cascade.service.stack.embedded import (
    LOOPBACK,
    Program,
    accepts_connections,
    credentials_of,
    free_port,
    port_is_free,
    redis_program,
    s3_program,
)
from cascade.service.stack.supervisor import Child, Supervisor
from cascade.workers.queue.heartbeat import live_workers
from cascade.workers.redis_client import RedisClient, connect_redis
from cascade.workers.settings import Settings


class StackRuns(Exception):
    """Another stack uses the same data folder."""


@dataclass
class Stack:
    """Starts and stops everything; servers that the settings name are used instead of embedded ones.

    Attributes:
        settings: as the user set them; what the embedded servers add goes to the children's environment.
        say: called with what happens, in words for people.
        url: of the gateway, once it has started.
    """

    settings: Settings
    say: Callable[[str], None]
    url: str = ""
    supervisor: Supervisor = field(init=False)
    _lock: IO[str] | None = None

    def __post_init__(self) -> None:
        self.supervisor = Supervisor(self.say)

    def start(self) -> None:
        """Start all children in order and wait until each is ready.

        Raises:
            StackRuns: the data folder is in use.
            MissingServer: an embedded server is not installed.
            StartFailed: a child did not become ready.
        """
        self._take_lock()
        env = self._start_servers()
        redis_url = env.get("CASCADE_REDIS_URL", self.settings.redis_url.get_secret_value())
        redis = connect_redis(self.settings.model_copy(update={"redis_url": SecretStr(redis_url)}))
        queues = [queue for name in self.settings.presets for queue in get_preset(name).queues]
        workers = [self._worker(queue, env, redis) for queue in queues]
        for worker in workers:
            self.supervisor.spawn(worker)
        self.supervisor.spawn(self._housekeeper(env))
        port = self._gateway_port()
        host = self.settings.host
        self.url = f"http://{LOOPBACK if host == '0.0.0.0' else host}:{port}"  # noqa: S104
        gateway = self._child(
            "gateway",
            _cascade(env | {"CASCADE_PORT": str(port)}, "gateway"),
            is_ready=lambda: _answers(f"{self.url}/healthz"),
        )
        self.supervisor.start(gateway)
        self.say(f"gateway    {self.url}  (docs at /docs)")
        for worker in workers:
            self.supervisor.wait_ready(worker)
            self.say(f"worker     {worker.name.removeprefix('worker-')}")

    def stop(self) -> None:
        self.supervisor.stop()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _take_lock(self) -> None:
        folder = self.settings.data_dir
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = (folder / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StackRuns(
                f"another `cascade up` uses {folder}; stop it, or set CASCADE_DATA_DIR to another folder"
            ) from error

    def _start_servers(self) -> dict[str, str]:
        """Start the embedded servers that are needed; returns the environment that leads the children to them."""
        credentials = credentials_of(self.settings.data_dir)
        user_settings, env = self.settings.model_fields_set, dict[str, str]()
        if "redis_url" not in user_settings:
            self.supervisor.start(
                self._child(
                    "redis",
                    redis_program(credentials, self.settings.data_dir),
                    is_ready=lambda: accepts_connections(credentials.redis_port),
                )
            )
            env["CASCADE_REDIS_URL"] = credentials.redis_url
            self.say(f"redis      127.0.0.1:{credentials.redis_port}  (embedded)")
        if "s3_endpoint_url" not in user_settings:
            self.supervisor.start(
                self._child(
                    "s3",
                    s3_program(credentials, self.settings.data_dir),
                    is_ready=lambda: accepts_connections(credentials.s3_port),
                )
            )
            env["CASCADE_S3_ENDPOINT_URL"] = credentials.s3_endpoint_url
            env["CASCADE_S3_ACCESS_KEY"] = credentials.s3_access_key
            env["CASCADE_S3_SECRET_KEY"] = credentials.s3_secret_key
            self.say(f"s3         {credentials.s3_endpoint_url}  (embedded)")
        return env

    def _worker(self, queue: str, env: dict[str, str], redis: RedisClient) -> Child:
        def is_ready() -> bool:
            return any(queue in worker.queues and worker.state != "loading" for worker in live_workers(redis))

        # Idle threads must not spin: all workers share the machine's cores.
        program = _cascade({"OMP_WAIT_POLICY": "PASSIVE"} | env, "worker", queue)
        return self._child(f"worker-{queue}", program, is_ready, grace_s=self.settings.drain_s + 15)

    def _housekeeper(self, env: dict[str, str]) -> Child:
        return self._child("housekeeper", _cascade(env, "housekeeper"), is_ready=lambda: True)

    def _child(
        self, name: str, program: Program, is_ready: Callable[[], bool], grace_s: float = 10.0
    ) -> Child:
        log = self.settings.data_dir / "logs" / f"{name}.log"
        return Child(name, program.argv, program.env, log, is_ready, grace_s=grace_s)

    def _gateway_port(self) -> int:
        port = self.settings.port
        if port and port_is_free(port, self.settings.host):
            return port
        other = free_port()
        if port:
            self.say(f"port {port} is in use; the gateway listens on {other}")
        return other


def _cascade(env: dict[str, str], *arguments: str) -> Program:
    """Describe how to run a command of this command line."""
    return Program((sys.executable, "-m", "cascade", *arguments), env)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).is_success
    except httpx.TransportError:
        return False
