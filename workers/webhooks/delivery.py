"""Webhooks: messages about ended jobs, signed as the Standard Webhooks specification says, until they are taken.

A message is queued in the transaction that ends the job, so none is lost. Any housekeeper may deliver it; one that
dies leaves it to be tried again, so a target may get a message twice, with the same `webhook-id`.
"""

from __future__ import annotations

import json
import logging
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

from pydantic import TypeAdapter
from standardwebhooks import Webhook

from cascade.workers.errors import JobNotFound, TargetRefused, UnreadableRecord
from cascade.workers.jobs.record import Job, JobStatus
from cascade.workers.jobs.store import JobStore
from cascade.workers.keys import (
    WEBHOOKS,
    WEBHOOKS_RUNNING,
    job_key,
    webhook_project_key,
)
from cascade.workers.logs import logging_job
from cascade.workers.redis_client import RedisClient, load_script
from cascade.workers.settings import Settings
from cascade.workers.webhooks.safe_http import post
from cascade.workers.webhooks.secrets import WebhookSecrets

if TYPE_CHECKING:
    from cascade.workers.servers import Servers

logger = logging.getLogger(__name__)

GONE = 410  # the specification: the target wants no more
MAX_LOG_ENTRIES = 100
HOLD_S = 30.0
"""Time beyond the target's time limit for which a delivery is hidden from other housekeepers."""
MAX_PER_PROJECT = 4
"""Deliveries of one project that are under way at a time, in all housekeepers."""


@dataclass(frozen=True)
class Delivery:
    """One attempt to deliver a message: when (Unix seconds), and the target's answer or what went wrong."""

    message_id: str
    event: str
    attempt: int
    at: float
    seconds: float
    status_code: int | None = None
    error: str | None = None

    @property
    def taken(self) -> bool:
        """Return whether the target took the message: it answered 2xx."""
        return self.status_code is not None and 200 <= self.status_code < 300


CODEC = TypeAdapter(Delivery)


class Webhooks:
    """Delivers what is due, and logs every attempt by job."""

    def __init__(self, redis: RedisClient, jobs: JobStore, settings: Settings) -> None:
        self.redis, self.jobs, self.settings = redis, jobs, settings
        self.secrets = WebhookSecrets(redis)
        self._take_due = load_script(redis, "webhooks/take_due.lua")

    @classmethod
    def of(cls, servers: Servers) -> Self:
        """Build it over a process's connections."""
        return cls(servers.redis, JobStore(servers.redis, servers.settings), servers.settings)

    def secret(self, project: str) -> str:
        """Return the secret that signs a project's messages, `whsec_...`; the first call creates it."""
        return self.secrets.of(project).current

    def deliver_next(self) -> bool:
        """Try the next message that is due, projects taking turns; return whether there was one."""
        now = self.jobs.now()
        taken: list[bytes] | None = self._take_due(
            keys=[WEBHOOKS, WEBHOOKS_RUNNING],
            args=[
                now,
                now + self.settings.webhook_timeout_s + HOLD_S,
                MAX_PER_PROJECT,
                job_key(""),
                webhook_project_key(""),
            ],
        )
        if taken is None:
            return False
        job_id, project = (part.decode() for part in taken)
        try:
            with logging_job(job_id):
                self._deliver(job_id)
        finally:
            self.redis.zrem(WEBHOOKS_RUNNING, f"{job_id} {project}")
        return True

    def log(self, job_id: str) -> list[Delivery]:
        """List every attempt to deliver a job's messages, oldest first."""
        return [CODEC.validate_json(entry) for entry in self.jobs.deliveries(job_id)]

    def _deliver(self, job_id: str) -> None:
        try:
            job = self.jobs.get(job_id)
        except UnreadableRecord as error:
            logger.warning("the webhook is given up: %s", error)
            job = None
        if job is None or not job.status.final or job.request.webhook_url is None:
            self._drop(job_id)
        else:
            self._schedule_next(job, self._attempt(job))

    def _attempt(self, job: Job) -> Delivery:
        assert job.request.webhook_url is not None
        message_id, event = _message_id(job), f"video.{job.status}"
        attempt = 1 + sum(delivery.message_id == message_id for delivery in self.log(job.id))
        at, started = self.jobs.now(), time.monotonic()
        body = json.dumps(
            {
                "object": "event",
                "id": message_id,
                "type": event,
                "created_at": int(job.finished_at or 0),
                "data": _data(job),
            }
        )
        signatures = [
            Webhook(secret).sign(message_id, datetime.fromtimestamp(int(at), UTC), body)
            for secret in self.secrets.of(job.project).valid
        ]
        headers = {
            "content-type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": str(int(at)),
            "webhook-signature": " ".join(signatures),
        }
        code, error = None, None
        try:
            code = post(job.request.webhook_url, body, headers, self.settings)
        except TargetRefused as refusal:
            error = str(refusal)
        seconds = round(time.monotonic() - started, 3)
        return Delivery(message_id, event, attempt, at, seconds, code, error)

    def _schedule_next(self, job: Job, delivery: Delivery) -> None:
        """Log an attempt, and schedule the next one if the message was not taken."""
        over = delivery.taken or delivery.status_code == GONE
        over = over or delivery.attempt >= self.settings.webhook_max_attempts
        delay_s = self.settings.webhook_backoff_s * 2 ** (delivery.attempt - 1)
        try:
            self.jobs.log_delivery(job.id, CODEC.dump_json(delivery), MAX_LOG_ENTRIES)
        except JobNotFound:
            over = True
        if over:
            self._drop(job.id)
        else:
            self.redis.zadd(WEBHOOKS, {job.id: self.jobs.now() + delay_s}, xx=True)
        outcome = delivery.error or delivery.status_code
        logger.info("webhook %s, attempt %d: %s", delivery.message_id, delivery.attempt, outcome)

    def _drop(self, job_id: str) -> None:
        self.redis.zrem(WEBHOOKS, job_id)
        self.redis.delete(webhook_project_key(job_id))


def _message_id(job: Job) -> str:
    """Name a message: the same for every attempt, another when the job ends again (a draft that was continued)."""
    return f"msg_{job.id.removeprefix('video_')}_{int(1000 * (job.finished_at or 0))}"


def _data(job: Job) -> dict[str, object]:
    data: dict[str, object] = {
        "id": job.id,
        "object": "video",
        "status": job.status,
        "metadata": dict(job.request.metadata),
    }
    if job.status is JobStatus.FAILED and job.failure is not None:
        data["error"] = {"code": job.failure.code, "message": job.failure.message}
    return data
