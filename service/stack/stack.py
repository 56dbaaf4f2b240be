"""The whole stack on one machine: Redis, S3, one worker per queue and the gateway, supervised."""

from __future__ import annotations

import fcntl
import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import httpx
from pydantic import SecretStr
from redis.exceptions import RedisError

from cascade.models.presets.table import get_preset
from cascade.service.api.download_urls import check_downloads
from cascade.service.stack.embedded import (
    CREDENTIALS_FILE,
    LOOPBACK,
    Program,
    accepts_connections,
    credentials_of,
    free_port,
    port_is_free,
    redis_program,
    s3_program,
)
from cascade.service.stack.supervisor import PRIVATE_UMASK, Child, Supervisor
from cascade.workers.addresses import host_in_url
from cascade.workers.queue.heartbeat import live_workers
from cascade.workers.redis_client import RedisClient, connect_redis
from cascade.workers.settings import Settings

CONTENTS = ("lock", CREDENTIALS_FILE, "redis", "s3", "logs")
"""What lies in the data folder."""


class StackRuns(Exception):
    """Another stack uses the same data folder."""


class DataFolderRefused(Exception):
    """The data folder cannot be made, or cannot be made private."""


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
            WrongSettings: clients could not fetch files from the embedded S3 server.
            DataFolderRefused: the data folder cannot be made private.
            MissingServer: an embedded server is not installed.
            StartFailed: a child did not become ready.
        """
        check_downloads(self.settings, self.settings.s3_endpoint_url or f"http://{LOOPBACK}")
        with _private_files():
            make_private(self.settings.data_dir)
            self._take_lock()
            env = {"CASCADE_PRESETS": ",".join(self.settings.presets)} | self._start_servers()
        redis_url = env.get("CASCADE_REDIS_URL", self.settings.redis_url.get_secret_value())
        redis = connect_redis(self.settings.model_copy(update={"redis_url": SecretStr(redis_url)}))
        queues = [queue for name in self.settings.presets for queue in get_preset(name).queues]
        workers = [self._worker(queue, env, redis) for queue in queues]
        for worker in workers:
            self.supervisor.spawn(worker)
        self.supervisor.spawn(self._housekeeper(env))
        port = self._gateway_port()
        here = {"0.0.0.0": LOOPBACK, "::": "::1"}  # noqa: S104
        host = here.get(self.settings.host, self.settings.host)
        self.url = f"http://{host_in_url(host)}:{port}"
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
                    is_server=True,
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
                    is_server=True,
                )
            )
            env["CASCADE_S3_ENDPOINT_URL"] = credentials.s3_endpoint_url
            env["CASCADE_S3_ACCESS_KEY"] = credentials.s3_access_key
            env["CASCADE_S3_SECRET_KEY"] = credentials.s3_secret_key
            self.say(f"s3         {credentials.s3_endpoint_url}  (embedded)")
        return env

    def _worker(self, queue: str, env: dict[str, str], redis: RedisClient) -> Child:
        def is_ready() -> bool:
            try:
                workers = live_workers(redis)
            except RedisError:
                return False
            return any(queue in worker.queues and worker.state != "loading" for worker in workers)

        # Idle threads must not spin: all workers share the machine's cores.
        program = _cascade({"OMP_WAIT_POLICY": "PASSIVE"} | env, "worker", queue)
        return self._child(f"worker-{queue}", program, is_ready, grace_s=self.settings.drain_s + 15)

    def _housekeeper(self, env: dict[str, str]) -> Child:
        return self._child("housekeeper", _cascade(env, "housekeeper"), is_ready=lambda: True)

    def _child(
        self,
        name: str,
        program: Program,
        is_ready: Callable[[], bool],
        grace_s: float = 10.0,
        is_server: bool = False,
    ) -> Child:
        log = self.settings.data_dir / "logs" / f"{name}.log"
        return Child(name, program.argv, program.env, log, is_ready, grace_s=grace_s, is_server=is_server)

    def _gateway_port(self) -> int:
        port = self.settings.port
        if port and port_is_free(port, self.settings.host):
            return port
        other = free_port()
        if port:
            self.say(f"port {port} is in use; the gateway listens on {other}")
        return other


def make_private(folder: Path) -> None:
    """Make the data folder, or take the others' rights away from one that is there, and from what is ours in it.

    Nobody reaches what is below a private folder: what lies deeper needs no change.

    Raises:
        DataFolderRefused: somebody else owns it, others share it, or it is no folder.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.stat().st_mode & stat.S_ISVTX:
            raise DataFolderRefused(
                f"the data folder {folder} is one that several users share, and it holds prompts, keys and clips; "
                "set CASCADE_DATA_DIR to a folder of its own"
            )
        for path in (folder, *(folder / name for name in CONTENTS), *folder.glob("logs/*")):
            if path.exists():
                path.chmod(path.stat().st_mode & 0o700)
    except OSError as error:
        raise DataFolderRefused(
            f"the data folder {folder} cannot be made private ({error.strerror}), and it holds prompts, keys and clips; "
            "give it to the user that runs this, or set CASCADE_DATA_DIR to another folder"
        ) from error


@contextmanager
def _private_files() -> Iterator[None]:
    """Let this process make files for their owner alone, until the block ends."""
    previous = os.umask(PRIVATE_UMASK)
    try:
        yield
    finally:
        os.umask(previous)


def _cascade(env: dict[str, str], *arguments: str) -> Program:
    """Describe how to run a command of this command line."""
    return Program((sys.executable, "-m", "cascade", *arguments), env)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).is_success
    except httpx.TransportError:
        return False
