"""The queues: one per stage kind, over Redis."""

from __future__ import annotations

from celery import Celery
from kombu import Queue

from cascade.models.presets.table import StageKind
from cascade.workers.settings import Settings

RUN_STAGE = "cascade.run_stage"


def make_celery(settings: Settings) -> Celery:
    """The Celery application, the same for who sends tasks and who runs them."""
    app = Celery("cascade", broker=settings.redis_url.get_secret_value(), set_as_current=False)
    app.conf.update(
        task_queues=[Queue(kind) for kind in StageKind],
        task_create_missing_queues=False,
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        worker_pool="solo",
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_transport_options={
            "visibility_timeout": settings.visibility_timeout_s,
            "socket_timeout": 30,
            "socket_connect_timeout": 5,
            "retry_on_timeout": True,
            "health_check_interval": 30,
        },
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
    )
    return app


def enqueue(app: Celery, job_id: str | None, kind: StageKind) -> None:
    """Put a stage of a job into its queue; without a job, a turn for the one that waits longest (`FairQueue`).

    Raises kombu's OperationalError when Redis is away.
    """
    app.send_task(
        RUN_STAGE,
        args=[job_id, str(kind)],
        queue=str(kind),
        retry=True,
        retry_policy={"max_retries": 3, "interval_start": 0.1, "interval_step": 0.3},
    )
