"""The readiness probe: short questions to the servers behind the gateway, in threads of its own.

A server that is frozen takes connections and answers nothing. However many clients probe meanwhile, one question to each
server is under way at a time, everyone gets its answer, and no thread of the routes waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from botocore.exceptions import BotoCoreError, ClientError
from redis.exceptions import RedisError

from cascade.models.presets.table import get_preset
from cascade.service.api.schemas.health import Check, Readiness
from cascade.workers.queue.heartbeat import Worker, live_workers
from cascade.workers.queue.waiting import WaitingStages
from cascade.workers.redis_client import connect_redis_briefly
from cascade.workers.settings import Settings
from cascade.workers.storage.object_store import ObjectStore

SERVER_TIMEOUT_S = 2.0
"""How long a server may take to connect, and for each answer."""
ANSWER_WITHIN_S = 3.0
STANDSTILL_S = 10.0
"""A stage that waits beside an idle worker for longer says that the worker takes nothing."""

Checks = list[Check]


class ReadinessProbe:
    """Asks whether videos can be made."""

    def __init__(self, settings: Settings) -> None:
        self.redis = connect_redis_briefly(settings, SERVER_TIMEOUT_S, retries=0)
        self.objects = ObjectStore(settings, timeout_s=SERVER_TIMEOUT_S, attempts=1)
        self.waiting = WaitingStages(self.redis, settings.lease_s)
        self.queues = [queue for name in settings.presets for queue in get_preset(name).queues]
        self._questions = (
            _SharedQuestion("redis", self._ask_redis),
            _SharedQuestion("s3", self._ask_objects),
        )

    async def ask(self) -> Readiness:
        """Ask all servers at once; answers within ANSWER_WITHIN_S."""
        redis, objects = await asyncio.gather(*(question.ask() for question in self._questions))
        checks = [redis[0], *objects, *(redis[1:] or [_workers(queue, [], 0.0) for queue in self.queues])]
        return Readiness(ready=all(check.ok for check in checks), checks=checks)

    def _ask_redis(self) -> Checks:
        try:
            self.redis.ping()
            workers = live_workers(self.redis)
            waited_s = {queue: self.waiting.waited_s(queue) for queue in self.queues}
        except RedisError as error:
            return [Check(name="redis", ok=False, detail=f"cannot be reached: {type(error).__name__}")]
        return [
            Check(name="redis", ok=True, detail="answers"),
            *(_workers(queue, workers, waited_s[queue]) for queue in self.queues),
        ]

    def _ask_objects(self) -> Checks:
        try:
            self.objects.check()
        except (BotoCoreError, ClientError) as error:
            return [Check(name="s3", ok=False, detail=f"bucket cannot be reached: {type(error).__name__}")]
        return [Check(name="s3", ok=True, detail="bucket is there")]


class _SharedQuestion:
    """A question to one server, asked in a thread of its own: whoever asks while it is under way gets its answer."""

    def __init__(self, server: str, question: Callable[[], Checks]) -> None:
        self.server, self._question = server, question
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"probe-{server}")
        self._answer: asyncio.Future[Checks] | None = None

    async def ask(self) -> Checks:
        if self._answer is None or self._answer.done():
            loop = asyncio.get_running_loop()
            self._answer = loop.run_in_executor(self._thread, self._question)
        try:
            return await asyncio.wait_for(asyncio.shield(self._answer), ANSWER_WITHIN_S)
        except TimeoutError:
            return [Check(name=self.server, ok=False, detail=f"no answer within {ANSWER_WITHIN_S:g} s")]


def _workers(queue: str, workers: list[Worker], waited_s: float) -> Check:
    """Check that a worker of a queue is live, and that idle ones take what waits."""
    serving = [worker for worker in workers if queue in worker.queues]
    loading = sum(worker.state == "loading" for worker in serving)
    idle = sum(worker.state == "ready" for worker in serving)
    live = len(serving) - loading
    detail = f"{live} live" + (f", {loading} loading" if loading else "")
    if idle and waited_s > STANDSTILL_S:
        detail += f", {idle} idle although a stage has waited for a turn for {waited_s:.0f} s"
        return Check(name=f"worker:{queue}", ok=False, detail=detail)
    return Check(name=f"worker:{queue}", ok=live > 0, detail=detail)
