"""Kombu's transport over Redis, for messages that nobody acknowledges, and that may be none."""

from __future__ import annotations

import logging
from queue import Empty
from typing import Any
from uuid import uuid4

from kombu.transport import redis

from cascade.workers.queue.celery_app import RUN_NEXT

logger = logging.getLogger(__name__)


class Channel(redis.Channel):
    """Drops what cannot be decoded, and keeps no message to be acknowledged (the queues are `no_ack`)."""

    def basic_ack(self, delivery_tag: str, multiple: bool = False) -> None:
        """Do nothing."""

    def basic_reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """Do nothing."""

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)
        except (ValueError, RecursionError) as error:  # the message is off its list by now
            logger.warning("a message that is not ours is dropped: %s", type(error).__name__)
            raise Empty from error


class Transport(redis.Transport):
    """Hands on wake-ups only, each as Celery knows it: a message that another wrote could end the worker."""

    Channel = Channel

    def _deliver(self, message: object, queue: str) -> None:
        if _is_wake_up(message):
            super()._deliver(_wake_up(queue), queue)
        else:
            logger.warning("a message that is not ours is dropped from %s", queue)


def _is_wake_up(message: object) -> bool:
    headers = message.get("headers") if isinstance(message, dict) else None
    return isinstance(headers, dict) and headers.get("task") == RUN_NEXT


def _wake_up(queue: str) -> dict[str, Any]:
    """Write a wake-up anew: nothing in it matters but that it is one."""
    task_id = str(uuid4())
    return {
        "body": "[[], {}, {}]",
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {"lang": "py", "task": RUN_NEXT, "id": task_id, "root_id": task_id},
        "properties": {
            "correlation_id": task_id,
            "delivery_info": {"exchange": "", "routing_key": queue},
            "delivery_tag": task_id,
        },
    }
