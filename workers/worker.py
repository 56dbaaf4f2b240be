"""A worker process: loads the stages of one or several queues once, then runs them for job after job."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterable

from celery.signals import worker_ready, worker_shutting_down

from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.errors import ModelError
from cascade.models.families.registry import load_stage
from cascade.models.presets.spec import AnyStageSpec
from cascade.models.runtime.execution import Execution
from cascade.models.stage import AnyStage
from cascade.workers.errors import UnknownQueue
from cascade.workers.idle_watch import IdleWatch
from cascade.workers.logs import configure_logging
from cascade.workers.outages import outage
from cascade.workers.queue.celery_app import RUN_NEXT
from cascade.workers.queue.heartbeat import Heartbeat
from cascade.workers.queue.queues import check_queues, stage_of
from cascade.workers.reconciler import Reconciler, ReconcilerLoop
from cascade.workers.servers import Servers
from cascade.workers.settings import Settings, WrongSettings, get_settings
from cascade.workers.stage_task import StageTask
from cascade.workers.storage.object_store import ObjectStore

logger = logging.getLogger(__name__)

RETRY_S = 1.0


class LoadedStages:
    """The networks of a worker, one stage per queue."""

    def __init__(self, queues: Iterable[str], settings: Settings) -> None:
        """Load the stages as their presets have them.

        Raises:
            UnknownQueue: no preset has a queue.
            CheckpointError: the networks of a stage cannot be loaded.
        """
        self.checkpoints = Checkpoints(settings.checkpoints_dir)
        self.executions: dict[str, Execution] = {}
        self.specs: dict[str, AnyStageSpec] = {}
        self.stages: dict[str, AnyStage] = {}
        for queue in queues:
            preset, spec = stage_of(queue)
            self.executions[queue] = settings.execution(preset.name, spec.name)
            self._load(queue, spec)

    def get(self, queue: str, spec: AnyStageSpec) -> tuple[AnyStage, Execution]:
        """Return a queue's stage and how it runs; load it anew for a job that was planned with other networks.

        Raises:
            CheckpointError: those networks cannot be loaded.
        """
        loaded = self.specs.get(queue)
        if loaded is None or _networks(spec) != _networks(loaded):
            logger.warning("%s has not loaded the networks of the job's plan; they are loaded now", queue)
            self._load(queue, spec)
        return self.stages[queue], self.executions[queue]

    def _load(self, queue: str, spec: AnyStageSpec) -> None:
        self.specs.pop(queue, None)
        self.stages.pop(queue, None)  # its memory is free before the next one needs it
        self.stages[queue] = load_stage(spec, self.checkpoints, self.executions[queue])
        self.specs[queue] = spec


def _networks(spec: AnyStageSpec) -> tuple[object, ...]:
    """Return what of a spec is fixed when its stage is loaded."""
    return (spec.checkpoint, spec.text_encoder, spec.options, spec.schedule, spec.clean_captions)


def _wait_for_bucket(objects: ObjectStore) -> None:
    """Create the bucket if it is not there; a store that is away is waited for: a new process would load all anew."""
    while True:
        try:
            objects.ensure_bucket()
        except Exception as error:
            if outage(error) is None:
                raise
            logger.warning("this worker waits for the object store: %s", error)
            time.sleep(RETRY_S)
        else:
            return


def run_worker(queues: tuple[str, ...], settings: Settings) -> None:
    """Work until told to stop: SIGTERM finishes the running stage, or hands it back after `drain_s`.

    Args:
        queues: at least one, of any presets, each `preset.stage`.
    Raises:
        UnknownQueue: there is none, or no preset has it; names the queues there are.
        CheckpointError: the networks of a stage cannot be loaded.
    """
    configure_logging(settings.log_level)
    check_queues(queues)
    servers = Servers.connect(settings)
    heartbeat = Heartbeat(servers.redis, queues)
    heartbeat.start()
    _wait_for_bucket(servers.objects)
    task = StageTask.of(servers, heartbeat, LoadedStages(queues, settings).get)
    reconciler = ReconcilerLoop(Reconciler.of(servers), settings.lease_s)
    watch = IdleWatch(servers.redis, heartbeat)

    @servers.celery.task(name=RUN_NEXT)
    def run_next() -> None:
        task.run()

    def on_ready(**_: object) -> None:
        heartbeat.set("ready")
        logger.info("%s is ready", heartbeat.worker.name)

    def on_stopping(**_: object) -> None:
        task.drain_by = time.monotonic() + settings.drain_s

    worker_ready.connect(on_ready, weak=False)
    worker_shutting_down.connect(on_stopping, weak=False)
    reconciler.start()
    watch.start()
    try:
        servers.celery.Worker(
            hostname=heartbeat.worker.name,
            queues=list(queues),
            pool="solo",
            concurrency=1,
            loglevel=settings.log_level,
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
        ).start()
    finally:
        watch.stop()
        reconciler.stop()
        heartbeat.stop()


if __name__ == "__main__":
    try:
        run_worker(tuple(sys.argv[1:]), get_settings())
    except (UnknownQueue, ModelError, WrongSettings) as error:
        sys.exit(str(error))
