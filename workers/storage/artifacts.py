"""Artifacts: bytes stored under deterministic keys, small ones in Redis and large ones in S3.

Keys are `jobs/{job}/{stage}/{digest of the inputs}.{ending}`, so a repeated stage finds what it stored before.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Self

from pydantic import TypeAdapter

from cascade.models.media.file import File
from cascade.workers.errors import ArtifactLost
from cascade.workers.jobs.plan import dump_plan
from cascade.workers.jobs.record import Artifact, Job, StageOutput
from cascade.workers.keys import artifact_key, output_key, owned_keys_key
from cascade.workers.redis_client import RedisClient
from cascade.workers.settings import Settings
from cascade.workers.storage.object_store import ObjectStore

if TYPE_CHECKING:
    from cascade.workers.servers import Servers

SAFETENSORS = "application/vnd.safetensors"
OUTPUT = TypeAdapter(StageOutput)
DAY_S = 86_400
JOBS = "jobs/"
"""Prefix of all keys of artifacts."""


def job_prefix(job_id: str) -> str:
    """Return the prefix of all keys of a job."""
    return f"{JOBS}{job_id}/"


def stage_key(job: Job, stage: str) -> str:
    """Name a stage's output, without its ending: the same inputs give the same key."""
    first = job.stage_names[0]
    inputs = {
        "plan": dump_plan(job.plan[: job.stage_names.index(stage) + 1]),
        "conditions": job.request.conditions,
        "seeds": job.request.seeds if stage == first else (job.seed,),
    }
    return f"{job_prefix(job.id)}{stage}/{_digest(inputs)}"


def prompt_key(job: Job, text_encoder: str, negative_prompt: str) -> str:
    """Name a job's prompt embeddings by one text encoder."""
    inputs = {
        "text_encoder": text_encoder,
        "prompt": job.request.prompt,
        "negative_prompt": negative_prompt,
    }
    return f"{job_prefix(job.id)}prompt/{_digest(inputs)}.safetensors"


class ArtifactStore:
    """Stores bytes and reads them back only if they are the bytes that were stored."""

    def __init__(self, redis: RedisClient, objects: ObjectStore, settings: Settings) -> None:
        self.redis, self.objects = redis, objects
        self._inline_max_bytes = settings.inline_artifact_max_bytes
        # The housekeeper deletes them earlier; Redis itself lets go of what no one sweeps.
        self._ttl_s = settings.intermediate_ttl_s + DAY_S

    @classmethod
    def of(cls, servers: Servers) -> Self:
        """Build it over a process's connections."""
        return cls(servers.redis, servers.objects, servers.settings)

    def put_all(
        self, job_id: str, key: str, tensors: bytes, files: Mapping[str, File]
    ) -> tuple[Artifact, dict[str, Artifact]]:
        """Store an output: its tensors under `key` for the next stage, and its renditions by kind for people."""
        stored = {
            kind: self.put_file(key + file.ending, file.content, file.media_type)
            for kind, file in files.items()
        }
        return self.put_tensors(job_id, f"{key}.safetensors", tensors), stored

    def put_tensors(self, job_id: str, key: str, content: bytes) -> Artifact:
        """Store serialised tensors, in Redis (with a time to live) if they are small enough."""
        if len(content) > self._inline_max_bytes:
            return self.put_file(key, content, SAFETENSORS)
        self._set(job_id, artifact_key(key), content)
        return _artifact("redis", key, content, SAFETENSORS)

    def put_file(self, key: str, content: bytes, media_type: str) -> Artifact:
        """Store a file in S3, where clients can download it."""
        self.objects.put(key, content, media_type)
        return _artifact("s3", key, content, media_type)

    def get(self, artifact: Artifact) -> bytes:
        """Read stored bytes. Raises ArtifactLost if they are gone or damaged."""
        if artifact.place == "redis":
            content: bytes | None = self.redis.get(artifact_key(artifact.key))
            if content is None:
                raise ArtifactLost(f"{artifact.key} is gone from Redis")
        else:
            content = self.objects.get(artifact.key)
        if hashlib.sha256(content).hexdigest() != artifact.sha256:
            raise ArtifactLost(f"{artifact.key} is damaged: its checksum differs")
        return content

    def open(self, artifact: Artifact, first: int, length: int) -> Iterator[bytes]:
        """Read `length` bytes from byte `first` on, in chunks, without checking them; both lie within the artifact.

        Raises:
            ArtifactLost: the bytes are gone.
        """
        if artifact.place == "redis":
            return iter((self.get(artifact)[first : first + length],))
        return self.objects.open(artifact.key, first, length)

    def copy(self, artifact: Artifact, job_id: str) -> Artifact:
        """Store the same bytes for another job. Raises ArtifactLost if they are gone or damaged."""
        key = job_prefix(job_id) + artifact.key.split("/", 2)[2]
        content = self.get(artifact)
        if artifact.media_type == SAFETENSORS:
            return self.put_tensors(job_id, key, content)
        return self.put_file(key, content, artifact.media_type)

    def put_embeddings(self, job_id: str, key: str, content: bytes) -> None:
        """Store a job's prompt embeddings in Redis, for the stages that share the text encoder."""
        self._set(job_id, artifact_key(key), content)

    def embeddings(self, key: str) -> bytes | None:
        """Read prompt embeddings; None if there are none (any more)."""
        content: bytes | None = self.redis.get(artifact_key(key))
        return content

    def mark_done(self, job_id: str, key: str, output: StageOutput) -> None:
        """Remember that the output of `key` is stored, before the job record says so."""
        self._set(job_id, output_key(key), OUTPUT.dump_json(output))

    def done_output(self, key: str) -> StageOutput | None:
        """Return the output of `key` if a worker has stored it."""
        stored = self.redis.get(output_key(key))
        return None if stored is None else OUTPUT.validate_json(stored)

    def unmark(self, key: str) -> None:
        """Take the mark back: the output of `key` turned out to be lost."""
        self.redis.delete(output_key(key))

    def delete_job(self, job_id: str) -> None:
        """Delete every byte stored for a job."""
        self._delete_keys(job_id)
        self.objects.delete_prefix(job_prefix(job_id))

    def delete_tensors(self, job_id: str) -> None:
        """Delete what the stages handed on; renditions stay."""
        self._delete_keys(job_id)
        self.objects.delete_prefix(job_prefix(job_id), ".safetensors")

    def _delete_keys(self, job_id: str) -> None:
        owned = owned_keys_key(job_id)
        self.redis.delete(owned, *self.redis.smembers(owned))

    def _set(self, job_id: str, key: str, content: bytes) -> None:
        with self.redis.pipeline(transaction=True) as pipe:
            pipe.set(key, content, ex=self._ttl_s)
            pipe.sadd(owned_keys_key(job_id), key)
            pipe.expire(owned_keys_key(job_id), self._ttl_s)
            pipe.execute()


def _artifact(place: str, key: str, content: bytes, media_type: str) -> Artifact:
    return Artifact(place, key, len(content), hashlib.sha256(content).hexdigest(), media_type)


def _digest(inputs: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:32]
