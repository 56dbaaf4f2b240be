"""A worker process: loads one kind of stage once, then runs it for job after job."""

from __future__ import annotations

import logging
import sys
import time

from celery.signals import worker_ready, worker_shutting_down

from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.families.registry import load_stage
from cascade.models.presets.table import StageKind, get_preset
from cascade.workers.job_queue import Conveyor
from cascade.workers.queue.celery_app import RUN_STAGE
from cascade.workers.queue.heartbeat import Presence
from cascade.workers.recovery import RecoveryLoop
from cascade.workers.settings import Settings, get_settings
from cascade.workers.stage_task import StageRunner

logger = logging.getLogger(__name__)


def run_worker(kind: StageKind, settings: Settings) -> None:
    """Work until told to stop: SIGTERM finishes the running stage, or hands it back after `drain_s`.

    Raises:
        CheckpointError: the stage's networks cannot be loaded.
    """
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    conveyor = Conveyor.connect(settings)
    conveyor.objects.ensure_bucket()
    presets = tuple(name for name in settings.presets if kind in get_preset(name).kinds)
    presence = Presence(conveyor.redis, kind, presets)
    presence.start()
    execution = settings.execution(kind)
    checkpoints = Checkpoints(settings.checkpoints_dir)
    stages = {name: load_stage(get_preset(name).stage(kind), checkpoints, execution) for name in presets}
    runner = StageRunner(conveyor, kind, stages, execution, presence)
    recovery = RecoveryLoop(conveyor)

    @conveyor.celery.task(name=RUN_STAGE)
    def run_stage(job_id: str | None, _kind: str) -> None:
        chosen = job_id or conveyor.fair_queue.take(kind)
        if chosen is not None:
            runner.run(chosen)

    def on_ready(**_: object) -> None:
        presence.set("ready")
        logger.info("%s is ready", presence.worker.name)

    def on_stopping(**_: object) -> None:
        runner.drain_by = time.monotonic() + settings.drain_s

    worker_ready.connect(on_ready, weak=False)
    worker_shutting_down.connect(on_stopping, weak=False)
    recovery.start()
    try:
        conveyor.celery.Worker(
            hostname=presence.worker.name,
            queues=[str(kind)],
            pool="solo",
            concurrency=1,
            loglevel=settings.log_level,
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
        ).start()
    finally:
        recovery.stop()
        presence.stop()


if __name__ == "__main__":
    run_worker(StageKind(sys.argv[1]), get_settings())
