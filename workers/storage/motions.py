"""Motions that requests may name: adapters in the object store, with a register of them in Redis."""

from __future__ import annotations

import hashlib
import re
import time

from pydantic import TypeAdapter

from cascade.models.presets.table import InvalidParameter, KeyframesOptions, get_preset
from cascade.workers.errors import ArtifactLost
from cascade.workers.jobs.record import Motion
from cascade.workers.redis_client import RedisClient
from cascade.workers.storage.object_store import ObjectStore

KEY = "cascade:motions"
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
CODEC = TypeAdapter(Motion)


class Motions:
    """Adding a name again replaces it for new requests; jobs go on with the bytes they were made with."""

    def __init__(self, redis: RedisClient, objects: ObjectStore) -> None:
        self.redis, self.objects = redis, objects

    def add(self, preset: str, name: str, content: bytes) -> Motion:
        """Register an adapter's bytes.

        Raises:
            ValueError: the name is not of lower-case letters, digits and hyphens, there is no such preset, or its
                first stage takes no motions.
        """
        if not isinstance(get_preset(preset).stages[0].options, KeyframesOptions):
            raise InvalidParameter(
                "model", f'preset "{preset}" takes no motions: a pipeline makes its first stage'
            )
        if NAME.fullmatch(name) is None:
            raise ValueError(f'"{name}" is no name: up to 64 lower-case letters, digits and hyphens')
        motion = Motion(preset, name, hashlib.sha256(content).hexdigest(), time.time())
        self.objects.put(motion.key, content, "application/vnd.safetensors")
        self.redis.hset(KEY, f"{preset}/{name}", CODEC.dump_json(motion))
        return motion

    def list(self, preset: str | None = None) -> list[Motion]:
        """By preset and name."""
        motions = (CODEC.validate_json(stored) for stored in self.redis.hvals(KEY))
        wanted = [motion for motion in motions if preset in (None, motion.preset)]
        return sorted(wanted, key=lambda motion: (motion.preset, motion.name))

    def find(self, preset: str, name: str) -> Motion | None:
        stored = self.redis.hget(KEY, f"{preset}/{name}")
        return None if stored is None else CODEC.validate_json(stored)

    def remove(self, preset: str, name: str) -> bool:
        """New requests cannot name it any more; whether there was one. Its bytes go too."""
        motion = self.find(preset, name)
        if motion is None:
            return False
        self.redis.hdel(KEY, f"{preset}/{name}")
        self.objects.delete_prefix(f"motions/{preset}/{name}/")
        return True

    def content(self, motion: Motion) -> bytes:
        """Raises ArtifactLost if the bytes are gone or damaged."""
        content = self.objects.get(motion.key)
        if hashlib.sha256(content).hexdigest() != motion.sha256:
            raise ArtifactLost(f"{motion.key} is damaged: its checksum differs")
        return content
