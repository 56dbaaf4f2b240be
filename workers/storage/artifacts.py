"""Artifacts: bytes stored under deterministic keys, small ones in Redis and large ones in S3.

Keys are `jobs/{job}/{stage}/{digest of the inputs}.{ending}`, so a repeated stage finds what it stored before.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from pydantic import TypeAdapter

from cascade.models.presets.table import StageKind
from cascade.workers.errors import ArtifactLost
from cascade.workers.jobs.record import Artifact, Job, StageOutput
from cascade.workers.settings import Settings
from cascade.workers.storage.object_store import ObjectStore

SAFETENSORS = "application/vnd.safetensors"
MP4, WEBP, PNG = "video/mp4", "image/webp", "image/png"
OUTPUT = TypeAdapter(StageOutput)
DAY_S = 86_400


def job_prefix(job_id: str) -> str:
    return f"jobs/{job_id}/"


def stage_key(job: Job, kind: StageKind) -> str:
    """The key of a stage's output, without its ending: the same inputs give the same key."""
    specs = job.request.resolve()
    kinds = [spec.kind for spec in specs]
    upto = specs[: kinds.index(kind) + 1]
    inputs = {
        "stages": [asdict(spec) for spec in upto],
        "prompt": job.request.prompt,
        "negative_prompt": job.request.negative_prompt,
        "motion": job.request.motion and job.request.motion.sha256,
        "seeds": job.request.seeds if kind is kinds[0] else (job.seed,),
    }
    return f"{job_prefix(job.id)}{kind}/{_digest(inputs)}"


def prompt_key(job: Job, text_encoder: str, negative_prompt: str) -> str:
    """The key of a job's prompt embeddings by one text encoder."""
    inputs = {
        "text_encoder": text_encoder,
        "prompt": job.request.prompt,
        "negative_prompt": negative_prompt,
    }
    return f"{job_prefix(job.id)}prompt/{_digest(inputs)}.safetensors"


class ArtifactStore:
    """Stores bytes and reads them back only if they are the bytes that were stored."""

    def __init__(self, redis: Any, objects: ObjectStore, settings: Settings) -> None:
        self.redis, self.objects = redis, objects
        self._inline_max_bytes = settings.inline_artifact_max_bytes
        # The housekeeper deletes them earlier; Redis itself lets go of what no one sweeps.
        self._ttl_s = settings.intermediate_ttl_s + DAY_S

    def put_tensors(self, job_id: str, key: str, content: bytes) -> Artifact:
        """Store serialised tensors, in Redis (with a time to live) if they are small enough."""
        if len(content) > self._inline_max_bytes:
            return self.put_file(key, content, SAFETENSORS)
        self._set(job_id, _content_key(key), content)
        return _artifact("redis", key, content, SAFETENSORS)

    def put_file(self, key: str, content: bytes, media_type: str) -> Artifact:
        """Store a file in S3, where clients can download it."""
        self.objects.put(key, content, media_type)
        return _artifact("s3", key, content, media_type)

    def get(self, artifact: Artifact) -> bytes:
        """Raises ArtifactLost if the bytes are gone or damaged."""
        if artifact.place == "redis":
            content: bytes | None = self.redis.get(_content_key(artifact.key))
            if content is None:
                raise ArtifactLost(f"{artifact.key} is gone from Redis")
        else:
            content = self.objects.get(artifact.key)
        if hashlib.sha256(content).hexdigest() != artifact.sha256:
            raise ArtifactLost(f"{artifact.key} is damaged: its checksum differs")
        return content

    def copy(self, artifact: Artifact, job_id: str) -> Artifact:
        """Store the same bytes for another job. Raises ArtifactLost if they are gone or damaged."""
        key = job_prefix(job_id) + artifact.key.split("/", 2)[2]
        content = self.get(artifact)
        if artifact.media_type == SAFETENSORS:
            return self.put_tensors(job_id, key, content)
        return self.put_file(key, content, artifact.media_type)

    def put_embeddings(self, job_id: str, key: str, content: bytes) -> None:
        """Keep a job's prompt embeddings in Redis, for the stages that share the text encoder."""
        self._set(job_id, _content_key(key), content)

    def embeddings(self, key: str) -> bytes | None:
        """The prompt embeddings stored under `key`, if they still are."""
        content: bytes | None = self.redis.get(_content_key(key))
        return content

    def note(self, job_id: str, key: str, output: StageOutput) -> None:
        """Remember that the output of `key` is stored, before the job record says so."""
        self._set(job_id, _note_key(key), OUTPUT.dump_json(output))

    def noted(self, key: str) -> StageOutput | None:
        """The stored output of `key`, if a worker got that far."""
        stored = self.redis.get(_note_key(key))
        return None if stored is None else OUTPUT.validate_json(stored)

    def forget(self, key: str) -> None:
        """The output of `key` turned out to be lost."""
        self.redis.delete(_note_key(key))

    def delete_job(self, job_id: str) -> None:
        """Delete every byte stored for a job."""
        owned = _owned_key(job_id)
        self.redis.delete(owned, *self.redis.smembers(owned))
        self.objects.delete_prefix(job_prefix(job_id))

    def delete_tensors(self, job_id: str) -> None:
        """Delete what the stages handed on; files for people stay."""
        owned = _owned_key(job_id)
        self.redis.delete(owned, *self.redis.smembers(owned))
        self.objects.delete_prefix(job_prefix(job_id), ".safetensors")

    def _set(self, job_id: str, key: str, content: bytes) -> None:
        with self.redis.pipeline(transaction=True) as pipe:
            pipe.set(key, content, ex=self._ttl_s)
            pipe.sadd(_owned_key(job_id), key)
            pipe.expire(_owned_key(job_id), self._ttl_s)
            pipe.execute()


def _artifact(place: str, key: str, content: bytes, media_type: str) -> Artifact:
    return Artifact(place, key, len(content), hashlib.sha256(content).hexdigest(), media_type)


def _digest(inputs: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:32]


def _content_key(key: str) -> str:
    return f"cascade:artifact:{key}"


def _note_key(key: str) -> str:
    return f"cascade:output:{key}"


def _owned_key(job_id: str) -> str:
    return f"cascade:job:{job_id}:keys"
