"""Motions that requests may name: adapters in the object store, with a register of them in Redis."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Self

from pydantic import TypeAdapter

from cascade.models.errors import InvalidParameter
from cascade.models.presets.table import get_preset
from cascade.workers.errors import ArtifactLost
from cascade.workers.jobs.record import Motion
from cascade.workers.keys import MOTIONS
from cascade.workers.redis_client import RedisClient, server_time
from cascade.workers.storage.artifacts import SAFETENSORS
from cascade.workers.storage.object_store import ObjectStore

if TYPE_CHECKING:
    from cascade.workers.servers import Servers

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
CODEC = TypeAdapter(Motion)
MOTION_OBJECTS = "motions/"
"""Prefix of the keys of all objects (`Motion.key`)."""


class Motions:
    """Adding a name again replaces it for new requests; jobs go on with the bytes they were made with."""

    def __init__(self, redis: RedisClient, objects: ObjectStore) -> None:
        self.redis, self.objects = redis, objects

    @classmethod
    def of(cls, servers: Servers) -> Self:
        """Build it over a process's connections."""
        return cls(servers.redis, servers.objects)

    def add(self, preset: str, name: str, content: bytes) -> Motion:
        """Register an adapter's bytes.

        Raises:
            InvalidParameter: there is no such preset, or no stage of it takes motions.
            ValueError: the name is not of lower-case letters, digits and hyphens.
        """
        if not any(spec.options.takes_motion for spec in get_preset(preset).stages):
            raise InvalidParameter("model", f'no stage of preset "{preset}" takes motions')
        check_name(name)
        motion = Motion(preset, name, hashlib.sha256(content).hexdigest(), server_time(self.redis))
        self.objects.put(motion.key, content, SAFETENSORS)
        self.redis.hset(MOTIONS, f"{preset}/{name}", CODEC.dump_json(motion))
        return motion

    def list(self, preset: str | None = None) -> list[Motion]:
        """List all, or a preset's, by preset and name."""
        motions = (CODEC.validate_json(stored) for stored in self.redis.hvals(MOTIONS))
        return sorted(
            (motion for motion in motions if preset in (None, motion.preset)),
            key=lambda motion: (motion.preset, motion.name),
        )

    def find(self, preset: str, name: str) -> Motion | None:
        """Find a motion by its name; None if there is none."""
        stored = self.redis.hget(MOTIONS, f"{preset}/{name}")
        return None if stored is None else CODEC.validate_json(stored)

    def remove(self, preset: str, name: str) -> bool:
        """Remove a motion and its bytes, so that new requests cannot name it; return whether there was one."""
        motion = self.find(preset, name)
        if motion is None:
            return False
        self.redis.hdel(MOTIONS, f"{preset}/{name}")
        self.objects.delete_prefix(f"motions/{preset}/{name}/")
        return True

    def content(self, motion: Motion) -> bytes:
        """Read an adapter's bytes. Raises ArtifactLost if they are gone or damaged."""
        content = self.objects.get(motion.key)
        if hashlib.sha256(content).hexdigest() != motion.sha256:
            raise ArtifactLost(f"{motion.key} is damaged: its checksum differs")
        return content


def check_name(name: str) -> None:
    """Raise ValueError unless a name is of lower-case letters, digits and hyphens."""
    if NAME.fullmatch(name) is None:
        raise ValueError(f'"{name}" is no name: up to 64 lower-case letters, digits and hyphens')
