"""The one task body of all stages.

Take the lease; if the stage's output is stored already, skip; fetch the inputs and verify them; run; store the
output and its renditions; record; queue the next stage; release. Every step may be repeated: keys are deterministic,
so a task that is delivered again costs time, never correctness.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor

from cascade.models.clip import Output, PromptEmbeddings
from cascade.models.families.registry import stage_entry
from cascade.models.media.renditions import as_clip, renditions
from cascade.models.presets.spec import AnyStageSpec
from cascade.models.presets.table import get_preset
from cascade.models.runtime.device import attention_kernel, measure_usage
from cascade.models.runtime.execution import Execution
from cascade.models.scoring import get_scorer
from cascade.models.stage import AnyStage, StageInputs
from cascade.workers.errors import ArtifactLost
from cascade.workers.faults import Faults
from cascade.workers.jobs.record import Artifact, Draft, Job, StageOutput, StageStatus
from cascade.workers.jobs.store import JobStore
from cascade.workers.jobs.transitions import complete_stage, start_stage
from cascade.workers.logs import logging_job
from cascade.workers.progress import Progress
from cascade.workers.queue.heartbeat import Heartbeat
from cascade.workers.queue.lease import Lease, Leases
from cascade.workers.queue.queues import stage_of
from cascade.workers.queue.stage_queue import StageQueue
from cascade.workers.servers import Servers
from cascade.workers.storage.artifacts import ArtifactStore, prompt_key, stage_key
from cascade.workers.storage.motions import Motions
from cascade.workers.storage.serialization import (
    pack_embeddings,
    pack_output,
    unpack_embeddings,
    unpack_output,
)

logger = logging.getLogger(__name__)

LoadStage = Callable[[str, AnyStageSpec], tuple[AnyStage, Execution]]
"""Returns the loaded stage of a queue that fits a job's spec, and how it runs."""


@dataclass
class StageTask:
    """Runs stages of jobs, one at a time.

    Attributes:
        load: finds the loaded stage.
        drain_by: monotonic time by which this worker must have stopped; None while it goes on.
    """

    jobs: JobStore
    queue: StageQueue
    leases: Leases
    artifacts: ArtifactStore
    motions: Motions
    faults: Faults
    heartbeat: Heartbeat
    load: LoadStage
    time_limit_s: float
    drain_by: float | None = None

    @classmethod
    def of(cls, servers: Servers, heartbeat: Heartbeat, load: LoadStage) -> Self:
        """Build it over a process's connections."""
        return cls(
            jobs=JobStore(servers.redis, servers.settings),
            queue=StageQueue.of(servers),
            leases=Leases(servers.redis, servers.settings.lease_s),
            artifacts=ArtifactStore.of(servers),
            motions=Motions.of(servers),
            faults=Faults.of(servers),
            heartbeat=heartbeat,
            load=load,
            time_limit_s=servers.settings.stage_time_limit_s,
        )

    def run(self, job_id: str | None, queue: str) -> None:
        """Run a queue's stage of a job, whatever state the job is in; without a job, of the one whose turn it is."""
        job_id = job_id or self.queue.take(queue)
        if job_id is None:
            return
        with logging_job(job_id):
            owner = f"{self.heartbeat.worker.name}-{threading.get_ident()}-{time.monotonic_ns()}"
            lease = self.leases.take(job_id, queue, owner)
            if lease is None:
                logger.info("%s is run by another worker", queue)
                return
            self.heartbeat.set("busy", job_id)
            try:
                with self.leases.renewing(lease):
                    self._run_leased(lease)
            finally:
                self.heartbeat.set("ready")

    def _run_leased(self, lease: Lease) -> None:
        stage = stage_of(lease.queue)[1].name
        try:
            self._run(lease, stage)
        except Exception as error:
            torch.cuda.empty_cache()
            self.faults.settle(lease, stage, error)
        self.leases.release(lease)

    def _run(self, lease: Lease, stage: str) -> None:
        job_id = lease.job_id
        job = self.jobs.get(job_id)
        if job is None or job.status.final:
            return
        if job.stage(stage).status is not StageStatus.COMPLETED:
            worker = self.heartbeat.worker.name
            job = self.jobs.update(job_id, lambda job: start_stage(job, stage, worker, time.time()))
            key = stage_key(job, stage)
            output = self.artifacts.done_output(key)
            if output is None:
                output = self._compute(job, stage, key, lease)
                self.artifacts.mark_done(job_id, key, output)
            job = self.jobs.update(job_id, lambda job: complete_stage(job, stage, output, time.time()))
        following = job.next_stage(stage)
        if following is not None and job.stage(following).status is StageStatus.QUEUED:
            self.queue.put(job, following)

    def _compute(self, job: Job, stage: str, key: str, lease: Lease) -> StageOutput:
        """Run the stage and store its output, or several drafts of which the best is chosen."""
        spec = job.spec(stage)
        loaded, execution = self.load(lease.queue, spec)
        inputs = self._inputs(job, loaded, spec)
        progress = Progress(self.jobs, lease, stage, self._must_stop, self.time_limit_s)
        with measure_usage(execution) as usage, attention_kernel(execution):
            output = loaded(inputs, progress)
        if len(inputs.seeds) == 1:
            artifact, files = self._store(job.id, key, output, loaded)
            return StageOutput(artifact, files, usage.gpu_s, usage.peak_memory_bytes)
        score = get_scorer(get_preset(job.request.preset).scorer)
        videos: tuple[Output, ...] = output.split()
        scores = score(as_clip(output, loaded.preview), job.request.prompt)
        drafts = tuple(
            Draft(seed, value, *self._store(job.id, f"{key}-{index}", video, loaded))
            for index, (seed, value, video) in enumerate(zip(inputs.seeds, scores, videos, strict=True))
        )
        chosen = scores.index(max(scores))
        best = drafts[chosen]
        assert best.artifact is not None
        return StageOutput(best.artifact, best.files, usage.gpu_s, usage.peak_memory_bytes, drafts, chosen)

    def _store(
        self, job_id: str, key: str, output: Output, stage: AnyStage
    ) -> tuple[Artifact, dict[str, Artifact]]:
        """Store one video for the next stage, and as files for people."""
        return self.artifacts.put_all(job_id, key, pack_output(output), renditions(output, stage.preview))

    def _inputs(self, job: Job, stage: AnyStage, spec: AnyStageSpec) -> StageInputs[Any]:
        request = job.request
        negative = spec.negative_prompt if request.negative_prompt is None else request.negative_prompt
        previous = job.previous_stage(spec.name)
        return StageInputs(
            spec,
            request.prompt,
            negative,
            self._embeddings(job, stage, negative, spec),
            request.seeds if previous is None else (job.seed,),
            None if previous is None else self._output_of(job, previous),
            self._motion(job, spec),
        )

    def _embeddings(self, job: Job, stage: AnyStage, negative: str, spec: AnyStageSpec) -> PromptEmbeddings:
        """Read the job's prompt embeddings, or encode and store them for the stages that share the encoder."""
        key = prompt_key(job, spec.text_encoder, negative)
        stored = self.artifacts.embeddings(key)
        if stored is not None:
            return unpack_embeddings(stored)
        embeddings = stage.text.encode(job.request.prompt, negative)
        self.artifacts.put_embeddings(job.id, key, pack_embeddings(embeddings))
        return embeddings

    def _output_of(self, job: Job, stage: str) -> Output:
        artifact = job.stage(stage).artifact
        if artifact is None:
            raise ArtifactLost(f"stage {stage} has no output on record")
        return unpack_output(self.artifacts.get(artifact))

    def _motion(self, job: Job, spec: AnyStageSpec) -> Mapping[str, Tensor] | None:
        if job.request.motion is None or not spec.options.takes_motion:
            return None
        family, _ = stage_entry(type(spec.options))
        assert family.unpack_motion is not None
        tensors: Mapping[str, Tensor] = family.part(family.unpack_motion)(
            self.motions.content(job.request.motion)
        )
        return tensors

    def _must_stop(self) -> bool:
        return self.drain_by is not None and time.monotonic() > self.drain_by
