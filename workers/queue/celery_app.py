"""The Celery application: one queue per stage of a preset, over Redis."""

from __future__ import annotations

from celery import Celery
from kombu import Queue
from kombu.transport import TRANSPORT_ALIASES

from cascade.workers.queue.queues import all_queues
from cascade.workers.settings import Settings

RUN_NEXT = "cascade.run_next"
"""The task `run_next()`: run the next stage of this worker's queues. Its messages are wake-ups (`wake_ups.py`)."""

TRANSPORT_ALIASES.update(dict.fromkeys(("redis", "rediss"), "cascade.workers.queue.transport:Transport"))


def create_celery(settings: Settings) -> Celery:
    """Create the application, the same for those who send tasks and those who run them."""
    address = settings.redis_address
    app = Celery("cascade", broker=address.broker_url, set_as_current=False)
    app.conf.update(
        broker_use_ssl=address.tls and dict(address.tls),
        # Nothing is acknowledged: what a lost message stood for still waits. So a connection that breaks while a stage
        # runs leaves no acknowledgement behind that keeps the worker from taking the next message.
        task_queues=[Queue(queue, no_ack=True) for queue in all_queues()],
        task_create_missing_queues=False,
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        worker_prefetch_multiplier=1,
        worker_pool="solo",
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_transport_options={
            "socket_timeout": 30,
            "socket_connect_timeout": 5,
            "socket_keepalive": True,
            "retry_on_timeout": True,
            "health_check_interval": 30,
            # A wake-up that cannot be sent at once is sent by the reconciler.
            "max_retries": 1,
            "interval_start": 0,
            "connect_retries_timeout": 1,
        }
        | dict(address.extras),
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
    )
    return app
