"""Wake-ups: Celery messages that tell an idle worker to look at the lines of its queues.

They carry nothing that could be lost: one that goes astray is sent again, one too many finds nothing to do. There is one
for each stage that waits, so that the length of a queue's list is what an autoscaler needs. It is sent in the transaction that
lets the stage wait (`waiting.py`), as the few words that `transport.py` makes a whole message of.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

from cascade.workers.keys import line_key, waiting_key
from cascade.workers.queue.celery_app import RUN_NEXT
from cascade.workers.redis_client import RedisClient, load_script

if TYPE_CHECKING:
    from cascade.workers.servers import Servers

WAKE_UP = json.dumps({"headers": {"task": RUN_NEXT}})
MAX_AT_ONCE = 100


class WakeUps:
    """Compares wake-ups with what waits."""

    def __init__(self, redis: RedisClient) -> None:
        self._balance = load_script(redis, "queue/balance_wake_ups.lua")

    @classmethod
    def of(cls, servers: Servers) -> Self:
        """Build it over a process's connections."""
        return cls(servers.redis)

    def balance(self, queues: Sequence[str]) -> None:
        """Send the wake-ups that are missing, up to MAX_AT_ONCE for a queue, and remove those that nothing waits for."""
        places = [word for queue in queues for word in (queue, line_key(queue), waiting_key(queue, ""))]
        self._balance(args=[WAKE_UP, MAX_AT_ONCE, *places])
