"""Webhooks: messages about ended jobs, signed as the Standard Webhooks specification says, until they are taken.

A message is queued in the transaction that ends the job, so none is lost. Any housekeeper may deliver it; one that
dies leaves it to be tried again, so a target may get a message twice, with the same `webhook-id`.
"""

from __future__ import annotations

import base64
import json
import logging
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import TypeAdapter
from standardwebhooks import Webhook

from cascade.workers.errors import JobNotFound
from cascade.workers.jobs.record import Job, JobStatus
from cascade.workers.jobs.store import WEBHOOKS, JobStore, deliveries_key
from cascade.workers.redis_client import RedisClient
from cascade.workers.settings import Settings
from cascade.workers.webhooks.safe_http import TargetRefused, post

logger = logging.getLogger(__name__)

GONE = 410  # the specification: the target wants no more
LOG_KEPT = 100

TAKE = """
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, 1)
if not due[1] then return nil end
redis.call('ZADD', KEYS[1], ARGV[2], due[1])
return due[1]
"""


@dataclass(frozen=True)
class Delivery:
    """One try to deliver a message: when (Unix seconds), and how the target answered, or what went wrong."""

    message_id: str
    event: str
    attempt: int
    at: float
    seconds: float
    status_code: int | None = None
    error: str | None = None

    @property
    def taken(self) -> bool:
        return self.status_code is not None and 200 <= self.status_code < 300


CODEC = TypeAdapter(Delivery)


class Webhooks:
    """Delivers what is due, and keeps a log of every try by job."""

    def __init__(self, redis: RedisClient, jobs: JobStore, settings: Settings) -> None:
        self.redis, self.jobs, self.settings = redis, jobs, settings

    def secret(self, project: str) -> str:
        """The secret that signs a project's messages, `whsec_...`; made when it is first asked for."""
        made = base64.b64encode(secrets.token_bytes(32)).decode()
        self.redis.set(f"cascade:webhook-secret:{project}", made, nx=True)
        stored: bytes = self.redis.get(f"cascade:webhook-secret:{project}")
        return f"whsec_{stored.decode()}"

    def deliver_next(self) -> bool:
        """Try the message that is due first; whether there was one."""
        hold_s = self.settings.webhook_timeout_s + 30
        now = time.time()
        due = self.redis.eval(TAKE, 1, WEBHOOKS, now, now + hold_s)
        if due is None:
            return False
        job_id = due.decode()
        job = self.jobs.get(job_id)
        if job is None or not job.status.final or job.request.webhook_url is None:
            self.redis.zrem(WEBHOOKS, due)
            return True
        self._after(job, self._try(job))
        return True

    def log(self, job_id: str) -> list[Delivery]:
        """Every try to deliver a job's messages, oldest first."""
        return [CODEC.validate_json(entry) for entry in self.redis.lrange(deliveries_key(job_id), 0, -1)]

    def _try(self, job: Job) -> Delivery:
        assert job.request.webhook_url is not None
        message_id, event = _message_id(job), f"video.{job.status}"
        attempt = 1 + sum(delivery.message_id == message_id for delivery in self.log(job.id))
        started = time.time()
        body = json.dumps({"type": event, "created_at": int(job.finished_at or 0), "data": _data(job)})
        headers = {
            "content-type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": str(int(started)),
            "webhook-signature": Webhook(self.secret(job.project)).sign(
                message_id, datetime.fromtimestamp(int(started), UTC), body
            ),
        }
        code, error = None, None
        try:
            code = post(job.request.webhook_url, body, headers, self.settings)
        except TargetRefused as refusal:
            error = str(refusal)
        return Delivery(message_id, event, attempt, started, round(time.time() - started, 3), code, error)

    def _after(self, job: Job, delivery: Delivery) -> None:
        """Keep the try on the log, and plan the next one where one is due."""
        over = delivery.taken or delivery.status_code == GONE
        over = over or delivery.attempt >= self.settings.webhook_max_attempts
        delay_s = self.settings.webhook_backoff_s * 2 ** (delivery.attempt - 1)
        try:
            self.jobs.log_delivery(job.id, CODEC.dump_json(delivery), LOG_KEPT)
        except JobNotFound:
            over = True
        if over:
            self.redis.zrem(WEBHOOKS, job.id)
        else:
            self.redis.zadd(WEBHOOKS, {job.id: time.time() + delay_s}, xx=True)
        outcome = delivery.error or delivery.status_code
        logger.info("webhook %s, try %d: %s", delivery.message_id, delivery.attempt, outcome)


def _message_id(job: Job) -> str:
    """The same for every try, another when the job ends again (a draft that was continued)."""
    return f"msg_{job.id.removeprefix('video_')}_{int(1000 * (job.finished_at or 0))}"


def _data(job: Job) -> dict[str, object]:
    data: dict[str, object] = {"id": job.id, "status": job.status, "metadata": dict(job.request.metadata)}
    if job.status is JobStatus.FAILED and job.failure is not None:
        data["error"] = {"code": job.failure.code, "message": job.failure.message}
    return data
