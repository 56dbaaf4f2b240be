"""The one task body of all stages.

Take the stage whose turn it is with its lease; if its output is stored already, skip; fetch the inputs and verify them;
run; store the output and its renditions; record, which lets the next stage wait. Every step may be repeated: keys are
deterministic, so a stage that is taken again costs time, never correctness. While a server of ours is away, the steps
wait for it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
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
from cascade.models.stage import AnyStage, OnStep, StageInputs, run_stage
from cascade.workers.errors import ArtifactLost, LeaseLost, OutageTooLong, WorkerStopping
from cascade.workers.faults import Faults
from cascade.workers.jobs.record import Artifact, Draft, Job, StageOutput
from cascade.workers.jobs.store import JobStore, new_write
from cascade.workers.jobs.transitions import complete_stage, start_stage
from cascade.workers.logs import logging_job
from cascade.workers.outages import DISK, Patience, outage
from cascade.workers.previews import PreviewSender, WatchedProgress
from cascade.workers.progress import Progress
from cascade.workers.queue.heartbeat import Heartbeat
from cascade.workers.queue.lease import Lease, Leases
from cascade.workers.queue.queues import stage_of
from cascade.workers.queue.waiting import WaitingStages
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
        preview_steps: every how many steps a first stage shows a preview; 0 is never.
        drain_by: monotonic time by which this worker must have stopped; None while it goes on.
    """

    jobs: JobStore
    waiting: WaitingStages
    leases: Leases
    artifacts: ArtifactStore
    motions: Motions
    faults: Faults
    heartbeat: Heartbeat
    load: LoadStage
    previews: PreviewSender
    preview_steps: int
    time_limit_s: float
    outage_limit_s: float
    drain_by: float | None = None

    @classmethod
    def of(cls, servers: Servers, heartbeat: Heartbeat, load: LoadStage) -> Self:
        """Build it over a process's connections."""
        return cls(
            jobs=JobStore(servers.redis, servers.settings),
            waiting=WaitingStages(servers.redis, servers.settings.lease_s),
            leases=Leases(servers.redis, servers.settings.lease_s),
            artifacts=ArtifactStore.of(servers),
            motions=Motions.of(servers),
            faults=Faults.of(servers),
            heartbeat=heartbeat,
            load=load,
            previews=PreviewSender(servers.redis),
            preview_steps=servers.settings.preview_steps,
            time_limit_s=servers.settings.stage_time_limit_s,
            outage_limit_s=servers.settings.outage_limit_h * 3600,
        )

    def run(self) -> None:
        """Run the stage of this worker's queues whose turn it is, if one waits."""
        worker = self.heartbeat.worker
        owner = f"{worker.name}-{time.monotonic_ns()}"
        try:
            lease = None if self._stops() else self.waiting.take(worker.queues, owner)
        except Exception as error:
            if outage(error) is None:
                raise
            logger.warning("what waits is taken when Redis is back: %s", error)
            return
        if lease is None:
            return
        with logging_job(lease.job_id):
            self.heartbeat.set("busy", lease.job_id)
            try:
                self._run_leased(lease)
            finally:
                self.heartbeat.set("ready")

    def _run_leased(self, lease: Lease) -> None:
        stage = stage_of(lease.queue)[1].name
        patience = Patience(self.jobs, lease, stage, self._must_stop, self.outage_limit_s)
        with self.leases.renewing(lease):
            try:
                self._run(lease, stage, patience)
            except Exception as error:
                torch.cuda.empty_cache()
                self._settle(lease, stage, error, patience)
        self._release(lease)

    def _settle(self, lease: Lease, stage: str, error: Exception, patience: Patience) -> None:
        try:
            self.faults.settle(lease, stage, error, patience)
        except (LeaseLost, WorkerStopping, OutageTooLong) as reason:
            logger.warning("stage %s is left to recovery: %s", stage, reason)

    def _release(self, lease: Lease) -> None:
        """Give up the lease of a stage that needed nothing; of others, their record's last change did."""
        try:
            self.leases.release(lease)
        except Exception as error:
            if outage(error) is None:
                raise
            logger.info("a lease is left to run out: %s", error)

    def _run(self, lease: Lease, stage: str, patience: Patience) -> None:
        job_id = lease.job_id
        job = patience(lambda: self.jobs.get(job_id))
        if job is None or job.open_stage != stage:
            return
        now = patience(self.jobs.now)
        started = partial(start_stage, stage=stage, worker=self.heartbeat.worker.name, now=now)
        job = self._update(job_id, started, patience)
        # Of a disk, only the stage's end will tell whether it has room.
        patience.noted = job.stage(stage).waiting_for not in (None, DISK)
        key = stage_key(job, stage)
        output = patience(lambda: self.artifacts.done_output(key))
        if output is None:
            output = self._compute(job, stage, key, lease, patience)
            patience(lambda: self.artifacts.mark_done(job_id, key, output))
        now = patience(self.jobs.now)
        self._update(job_id, partial(complete_stage, stage=stage, output=output, now=now), patience)

    def _update(self, job_id: str, change: Callable[[Job], Job], patience: Patience) -> Job:
        write = new_write()
        return patience(lambda: self.jobs.update(job_id, change, write=write))

    def _compute(self, job: Job, stage: str, key: str, lease: Lease, patience: Patience) -> StageOutput:
        """Run the stage and store its output, or several drafts of which the best is chosen."""
        spec = job.spec(stage)
        loaded, execution = self.load(lease.queue, spec)
        inputs = patience(lambda: self._inputs(job, loaded, spec))
        progress = self._progress(lease, job, spec, loaded)
        with measure_usage(execution) as usage, attention_kernel(execution):
            output = run_stage(loaded, inputs, progress)
        if len(inputs.seeds) == 1:
            artifact, files = self._store(job.id, key, output, loaded, patience)
            return StageOutput(artifact, files, usage.gpu_s, usage.peak_memory_bytes)
        score = get_scorer(get_preset(job.request.preset).scorer)
        videos: tuple[Output, ...] = output.split()
        scores = score(as_clip(output, loaded.preview), job.request.prompt)
        drafts = tuple(
            Draft(seed, value, *self._store(job.id, f"{key}-{index}", video, loaded, patience))
            for index, (seed, value, video) in enumerate(zip(inputs.seeds, scores, videos, strict=True))
        )
        chosen = scores.index(max(scores))
        best = drafts[chosen]
        assert best.artifact is not None
        return StageOutput(best.artifact, best.files, usage.gpu_s, usage.peak_memory_bytes, drafts, chosen)

    def _progress(self, lease: Lease, job: Job, spec: AnyStageSpec, loaded: AnyStage) -> OnStep:
        """Make the callback of the stage's steps; that of a first stage shows previews, where they are wanted."""
        progress = Progress(self.jobs, lease, spec.name, self._must_stop, self.time_limit_s)
        if not self.preview_steps or job.previous_stage(spec.name) is not None:
            return progress
        return WatchedProgress(progress, self.previews, self.preview_steps, spec.fps, loaded.show_sample)

    def _store(
        self, job_id: str, key: str, output: Output, stage: AnyStage, patience: Patience
    ) -> tuple[Artifact, dict[str, Artifact]]:
        """Store one video for the next stage, and as files for people."""
        tensors, files = pack_output(output), renditions(output, stage.preview)
        return patience(lambda: self.artifacts.put_all(job_id, key, tensors, files))

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

    def _stops(self) -> bool:
        return self.drain_by is not None

    def _must_stop(self) -> bool:
        return self.drain_by is not None and time.monotonic() > self.drain_by
