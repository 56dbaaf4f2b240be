"""The Celery application: one queue per stage of a preset, over Redis."""

from __future__ import annotations

from celery import Celery
from kombu import Queue

from cascade.workers.queue.queues import all_queues
from cascade.workers.settings import Settings

RUN_STAGE = "cascade.run_stage"
"""The task `run_stage(job_id | None, queue)`: without a job it is a turn for the one that waits longest."""


def create_celery(settings: Settings) -> Celery:
    """Create the application, the same for those who send tasks and those who run them."""
    app = Celery("cascade", broker=settings.redis_url.get_secret_value(), set_as_current=False)
    app.conf.update(
        task_queues=[Queue(queue) for queue in all_queues()],
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


def send_run_stage(app: Celery, job_id: str | None, queue: str) -> None:
    """Send a task to a queue.

    Raises:
        kombu.exceptions.OperationalError: Redis cannot be reached.
    """
    app.send_task(
        RUN_STAGE,
        args=[job_id, queue],
        queue=queue,
        retry=True,
        retry_policy={"max_retries": 3, "interval_start": 0.1, "interval_step": 0.3},
    )
