"""Kombu's transport over Redis, for messages that nobody acknowledges, and that may be none."""

from __future__ import annotations

import logging
from queue import Empty
from typing import Any

from kombu.transport import redis

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
        except ValueError as error:  # the message is off its list by now
            logger.warning("a message that is not ours is dropped: %s", type(error).__name__)
            raise Empty from error


class Transport(redis.Transport):
    """Drops what has not the shape of a message."""

    Channel = Channel

    def _deliver(self, message: object, queue: str) -> None:
        if _is_message(message):
            super()._deliver(message, queue)
        else:
            logger.warning("a message that is not ours is dropped from %s", queue)


def _is_message(message: object) -> bool:
    if not isinstance(message, dict):
        return False
    properties = message.get("properties")
    return (
        isinstance(message.get("body"), str)
        and isinstance(message.get("headers"), dict)
        and isinstance(properties, dict)
        and isinstance(properties.get("delivery_tag"), str)
        and isinstance(properties.get("delivery_info"), dict)
    )
