"""The one task body of all stages.

Take the lease; if the stage's output is stored already, skip; fetch the inputs and verify them; run; store the
clip and its preview; record; queue the next stage; release. Every step may be repeated: keys are deterministic,
so a task that is delivered again costs time, never correctness.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch

from cascade.models.clip import Clip
from cascade.models.errors import ModelError
from cascade.models.evaluation.scorers import SCORERS
from cascade.models.families.show1.motion import unpack_motion
from cascade.models.media.contact_sheet import encode_contact_sheet
from cascade.models.media.video import encode_mp4, encode_webp
from cascade.models.presets.table import InvalidParameter, StageKind, StageSpec
from cascade.models.runtime.device import attention_kernel, measure_usage
from cascade.models.runtime.execution import Execution
from cascade.models.stage import Stage, StageInputs
from cascade.workers.errors import ArtifactLost, JobNotFound
from cascade.workers.job_queue import Conveyor
from cascade.workers.jobs.record import (
    Artifact,
    Draft,
    Failure,
    IllegalTransition,
    Job,
    StageOutput,
    StageStatus,
    advance_stage,
    complete_stage,
    hand_back_stage,
    requeue_stage,
    rewind,
    start_stage,
)
from cascade.workers.queue.celery_app import enqueue
from cascade.workers.queue.heartbeat import Presence
from cascade.workers.queue.lease import Lease
from cascade.workers.recovery import give_up
from cascade.workers.storage.artifacts import MP4, PNG, WEBP, prompt_key, stage_key
from cascade.workers.storage.serialization import pack_clip, pack_embeddings, unpack_clip, unpack_embeddings

logger = logging.getLogger(__name__)

# Trying again helps none of these; torch raises the last where a device has no kernel for a dtype.
PERMANENT = (ModelError, InvalidParameter, ValueError, TypeError, NotImplementedError)


class Stopped(Exception):
    """The stage must not go on: its lease is lost."""


class HandedBack(Exception):
    """This worker has to stop and returns the stage to its queue."""


class TimeLimitExceeded(ModelError):
    """The stage took longer than a stage may."""


@dataclass
class StageRunner:
    """Runs the stage `kind` of jobs, one at a time.

    Attributes:
        stages: the loaded stage of each preset.
        drain_by: monotonic time by which this worker must have stopped; None while it goes on.
    """

    conveyor: Conveyor
    kind: StageKind
    stages: Mapping[str, Stage]
    execution: Execution
    presence: Presence
    drain_by: float | None = None
    _started: float = field(default=0.0, init=False)

    def run(self, job_id: str) -> None:
        """Run this worker's stage of a job, whatever state the job is in."""
        owner = f"{self.presence.worker.name}-{threading.get_ident()}-{time.monotonic_ns()}"
        lease = self.conveyor.leases.take(job_id, self.kind, owner)
        if lease is None:
            logger.info("stage %s of %s is run by another worker", self.kind, job_id)
            return
        self.presence.set("busy", job_id)
        try:
            with self.conveyor.leases.renewing(lease):
                self._run_guarded(job_id, lease)
        finally:
            self.presence.set("ready")

    def _run_guarded(self, job_id: str, lease: Lease) -> None:
        """Run, and turn every fault into what it means for the job."""
        jobs, leases = self.conveyor.jobs, self.conveyor.leases
        try:
            self._run(job_id, lease)
        except JobNotFound:
            self.conveyor.artifacts.delete_job(job_id)
            logger.info("job %s was deleted", job_id)
        except IllegalTransition as reason:
            logger.info("stage %s stops: %s", self.kind, reason)
        except Stopped:
            logger.warning("stage %s of %s was taken over by another worker", self.kind, job_id)
        except HandedBack:
            jobs.update(job_id, lambda job: hand_back_stage(job, self.kind))
            leases.wake_later(lease, 0)
            logger.info("stage %s of %s is handed back", self.kind, job_id)
        except ArtifactLost as error:
            self._rewind(job_id, error)
        except PERMANENT as error:
            logger.exception("stage %s of %s failed", self.kind, job_id)
            self._give_up(job_id, Failure("stage_failed", str(error), self.kind))
        except Exception as error:
            logger.exception("stage %s of %s hit a fault", self.kind, job_id)
            self._retry(job_id, lease, error)
        leases.release(lease)

    def _run(self, job_id: str, lease: Lease) -> None:
        conveyor = self.conveyor
        job = conveyor.jobs.get(job_id)
        if job is None or job.status.final:
            return
        if job.stage(self.kind).status is not StageStatus.COMPLETED:
            job = conveyor.jobs.update(
                job_id, lambda job: start_stage(job, self.kind, self.presence.worker.name, time.time())
            )
            key = stage_key(job, self.kind)
            output = conveyor.artifacts.noted(key)
            if output is None:
                output = self._compute(job, key, lease)
                conveyor.artifacts.note(job_id, key, output)
            job = conveyor.jobs.update(
                job_id, lambda job: complete_stage(job, self.kind, output, time.time())
            )
        following = job.next_kind(self.kind)
        if following is not None and job.stage(following).status is StageStatus.QUEUED:
            enqueue(conveyor.celery, job_id, following)

    def _compute(self, job: Job, key: str, lease: Lease) -> StageOutput:
        """Run the stage and store what it made: one clip, or several drafts of which the best is chosen."""
        stage = self.stages[job.request.preset]
        specs = {spec.kind: spec for spec in job.request.resolve()}
        inputs = self._inputs(job, stage, specs[self.kind])
        self._started = time.monotonic()
        with measure_usage(self.execution) as usage, attention_kernel(self.execution):
            clip = stage(inputs, self._on_step(job.id, lease))
        if len(inputs.seeds) == 1:
            artifact, files = self._store(job.id, key, clip)
            return StageOutput(artifact, files, usage.gpu_s, usage.peak_memory_bytes)
        scores = SCORERS[job.request.cascade().scorer](clip, job.request.prompt)
        clips = [Clip(frames[None], clip.fps) for frames in clip.frames]
        drafts = tuple(
            Draft(seed, score, *self._store(job.id, f"{key}-{index}", clip))
            for index, (seed, score, clip) in enumerate(zip(inputs.seeds, scores, clips, strict=True))
        )
        chosen = scores.index(max(scores))
        best = drafts[chosen]
        assert best.artifact is not None
        return StageOutput(best.artifact, best.files, usage.gpu_s, usage.peak_memory_bytes, drafts, chosen)

    def _store(self, job_id: str, key: str, clip: Clip) -> tuple[Artifact, dict[str, Artifact]]:
        """Store one video for the next stage, and as files for people."""
        artifacts = self.conveyor.artifacts
        frames = clip.to_uint8()[0]
        files = {
            "mp4": artifacts.put_file(f"{key}.mp4", encode_mp4(frames, clip.fps), MP4),
            "webp": artifacts.put_file(f"{key}.webp", encode_webp(frames, clip.fps), WEBP),
            "png": artifacts.put_file(f"{key}.png", encode_contact_sheet(frames), PNG),
            "thumbnail": artifacts.put_file(f"{key}-thumbnail.webp", encode_webp(frames[:1], clip.fps), WEBP),
        }
        return artifacts.put_tensors(job_id, f"{key}.safetensors", pack_clip(clip)), files

    def _inputs(self, job: Job, stage: Stage, spec: StageSpec) -> StageInputs:
        artifacts, request = self.conveyor.artifacts, job.request
        negative = spec.negative_prompt if request.negative_prompt is None else request.negative_prompt
        key = prompt_key(job, spec.text_encoder, negative)
        stored = artifacts.embeddings(key)
        if stored is None:
            embeddings = stage.text.encode(request.prompt, negative)
            artifacts.put_embeddings(job.id, key, pack_embeddings(embeddings))
        else:
            embeddings = unpack_embeddings(stored)
        previous = job.previous_kind(self.kind)
        clip = None
        if previous is not None:
            artifact = job.stage(previous).artifact
            if artifact is None:
                raise ArtifactLost(f"stage {previous} has no clip on record")
            clip = unpack_clip(artifacts.get(artifact))
        seeds = request.seeds if previous is None else (job.seed,)
        motion = None
        if request.motion is not None and previous is None:
            motion = unpack_motion(self.conveyor.motions.content(request.motion))
        return StageInputs(spec, request.prompt, negative, embeddings, seeds, clip, motion)

    def _on_step(self, job_id: str, lease: Lease) -> Callable[[int, int], None]:
        """Record progress; stop the stage when the job is over, the lease lost or the time up."""
        limit_s = self.conveyor.settings.stage_time_limit_s

        def on_step(step: int, steps: int) -> None:
            self.conveyor.jobs.update(job_id, lambda job: advance_stage(job, self.kind, step, steps))
            if lease.lost.is_set():
                raise Stopped
            if self.drain_by is not None and time.monotonic() > self.drain_by:
                raise HandedBack
            if time.monotonic() - self._started > limit_s:
                raise TimeLimitExceeded(
                    f"stage {self.kind} took longer than CASCADE_STAGE_TIME_LIMIT_S ({limit_s} s)"
                )

        return on_step

    def _rewind(self, job_id: str, error: ArtifactLost) -> None:
        """An input is gone: the stage that made it runs again, unless it has used up its attempts."""
        job = self.conveyor.jobs.get(job_id)
        if job is None:
            return
        previous = job.previous_kind(self.kind) or self.kind
        logger.warning("stage %s of %s runs again: %s", previous, job_id, error)
        made_here = not job.stage(previous).reused
        if not made_here or job.stage(previous).attempts >= self.conveyor.settings.max_attempts:
            self._give_up(job_id, Failure("artifact_lost", str(error), self.kind))
            return
        self.conveyor.artifacts.forget(stage_key(job, previous))
        self.conveyor.jobs.update(job_id, lambda job: rewind(job, previous))
        enqueue(self.conveyor.celery, job_id, previous)

    def _retry(self, job_id: str, lease: Lease, error: Exception) -> None:
        """Try again later, ever later; give up after the last attempt."""
        torch.cuda.empty_cache()
        settings = self.conveyor.settings
        job = self.conveyor.jobs.get(job_id)
        if job is None:
            return
        attempts = job.stage(self.kind).attempts
        if attempts >= settings.max_attempts:
            reason = f"{type(error).__name__}: {error} (after {attempts} attempts)"
            self._give_up(job_id, Failure("retries_exhausted", reason, self.kind))
            return
        self.conveyor.jobs.update(job_id, lambda job: requeue_stage(job, self.kind))
        self.conveyor.leases.wake_later(lease, settings.retry_backoff_s * 2 ** (attempts - 1))

    def _give_up(self, job_id: str, failure: Failure) -> None:
        try:
            give_up(self.conveyor, job_id, failure)
        except (JobNotFound, IllegalTransition) as reason:
            logger.info("stage %s of %s stops: %s", self.kind, job_id, reason)
