"""The whole stack on one machine: Redis, S3, one worker per stage and the gateway, supervised."""

from __future__ import annotations

import fcntl
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO, Any

import httpx
from pydantic import SecretStr

from cascade.models.presets.table import StageKind, get_preset
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
from cascade.workers.redis_client import connect_redis
from cascade.workers.settings import Settings


class StackRuns(Exception):
    """Another stack works on the same data folder."""


@dataclass
class Stack:
    """Starts and stops everything; servers that the settings name are used instead of embedded ones.

    Attributes:
        settings: as the user set them; what the embedded servers add goes to the children's environment.
        say: told what happens, in words for people.
        url: of the gateway, once started.
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
            StartFailed: a child did not come up.
        """
        self._take_lock()
        env = self._start_servers()
        redis_url = env.get("CASCADE_REDIS_URL", self.settings.redis_url.get_secret_value())
        redis = connect_redis(self.settings.model_copy(update={"redis_url": SecretStr(redis_url)}))
        kinds = dict.fromkeys(kind for name in self.settings.presets for kind in get_preset(name).kinds)
        workers = [self._worker(kind, env, redis) for kind in kinds]
        for worker in workers:
            self.supervisor.spawn(worker)
        self.supervisor.spawn(self._housekeeper(env))
        port = self._gateway_port()
        host = self.settings.host
        self.url = f"http://{LOOPBACK if host == '0.0.0.0' else host}:{port}"  # noqa: S104
        gateway = self._child(
            "gateway",
            Program((sys.executable, "-m", "cascade", "gateway"), env | {"CASCADE_PORT": str(port)}),
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
                f"another `cascade up` works on {folder}; stop it, or set CASCADE_DATA_DIR to another folder"
            ) from error

    def _start_servers(self) -> dict[str, str]:
        """Start the embedded servers that are needed; the environment that leads the children to them."""
        credentials = credentials_of(self.settings.data_dir)
        given, env = self.settings.model_fields_set, dict[str, str]()
        if "redis_url" not in given:
            self.supervisor.start(
                self._child(
                    "redis",
                    redis_program(credentials, self.settings.data_dir),
                    is_ready=lambda: accepts_connections(credentials.redis_port),
                )
            )
            env["CASCADE_REDIS_URL"] = credentials.redis_url
            self.say(f"redis      127.0.0.1:{credentials.redis_port}  (embedded)")
        if "s3_endpoint_url" not in given:
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

    def _worker(self, kind: StageKind, env: dict[str, str], redis: Any) -> Child:
        def is_ready() -> bool:
            return any(w.kind == kind and w.state != "loading" for w in live_workers(redis))

        # Idle threads must not spin: all workers share the machine's cores.
        program = Program(
            (sys.executable, "-m", "cascade.workers.worker", str(kind)), {"OMP_WAIT_POLICY": "PASSIVE"} | env
        )
        return self._child(f"worker-{kind}", program, is_ready, grace_s=self.settings.drain_s + 15)

    def _housekeeper(self, env: dict[str, str]) -> Child:
        program = Program((sys.executable, "-m", "cascade.workers.housekeeper"), env)
        return self._child("housekeeper", program, is_ready=lambda: True)

    def _child(
        self, name: str, program: Program, is_ready: Callable[[], bool], grace_s: float = 10.0
    ) -> Child:
        log = self.settings.data_dir / "logs" / f"{name}.log"
        return Child(name, program.argv, program.env, log, is_ready, grace_s=grace_s)

    def _gateway_port(self) -> int:
        wanted = self.settings.port
        if wanted and port_is_free(wanted, self.settings.host):
            return wanted
        chosen = free_port()
        if wanted:
            self.say(f"port {wanted} is taken; the gateway listens on {chosen}")
        return chosen


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).is_success
    except httpx.TransportError:
        return False
