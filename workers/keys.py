"""Every key in Redis, of the workers and of the gateway.

| key | type | holds | lives |
|---|---|---|---|
| `cascade:job:{job}` | string | the job record, JSON (`jobs/codec.py`) | until the job is deleted |
| `cascade:jobs:{project}` | sorted set | the project's jobs by creation time | until each is deleted |
| `cascade:job:{job}:events` | stream | what happened to the job (`jobs/events.py`) | 7 days after the last event |
| `cascade:news` | stream | the jobs that have new events | the last 10,000 |
| `cascade:active` | set | unfinished jobs | until each ends |
| `cascade:active:{project}` | set | the project's unfinished jobs | until each ends |
| `cascade:due:jobs` | sorted set | ended jobs by the time of their deletion | until each is deleted |
| `cascade:due:intermediates` | sorted set | ended jobs by the time when their tensors go | until they are deleted |
| `cascade:dead-letters` | hash | job -> why it failed for good, JSON | until dismissed, replayed or deleted |
| `{queue}` | list | Celery's messages of the queue `preset.stage`; kombu's key | until a worker takes each |
| `cascade:queue:{queue}:turns` | sorted set | projects with waiting jobs by their last turn | while any job waits |
| `cascade:queue:{queue}:clock` | integer | how many turns there have been | for ever |
| `cascade:queue:{queue}:waiting:{project}` | list | the project's jobs that wait for a turn | until each is taken |
| `cascade:leases` | sorted set | `{job}/{queue}` by the time when its lease runs out | until released or recovered |
| `cascade:lease-holders` | hash | `{job}/{queue}` -> owner of the lease | as the lease |
| `cascade:heartbeat:{worker}` | string | where a worker is and what it does, JSON | 10 s after the last heartbeat |
| `cascade:artifact:{key}` | string | small tensors and prompt embeddings | `intermediate_ttl_s` and a day at most |
| `cascade:output:{key}` | string | what a finished stage stored, JSON | as artifacts |
| `cascade:job:{job}:keys` | set | the two kinds of key above that belong to the job | as artifacts |
| `cascade:motions` | hash | `{preset}/{name}` -> registered motion, JSON | until removed |
| `cascade:webhooks` | sorted set | jobs by the time of their next delivery | until taken or given up |
| `cascade:job:{job}:deliveries` | list | deliveries of the job's webhook, JSON | until the job is deleted |
| `cascade:webhook-secret:{project}` | string | base64 of the signing key | for ever |
| `cascade:api-keys` | hash | key -> API key's record, JSON | until revoked |
| `cascade:idempotency:{project}:{digest}` | string | the request and job of an idempotency key, JSON | 24 hours |
| `cascade:rate...` | of `limits` | requests of an API key in the last minute | 1 minute |

Records of version 1 had their own queues and turns; `VERSION_1` are the keys that `adoption.py` empties.
"""

from __future__ import annotations

NEWS = "cascade:news"
ACTIVE = "cascade:active"
JOBS_DUE = "cascade:due:jobs"
INTERMEDIATES_DUE = "cascade:due:intermediates"
DEAD_LETTERS = "cascade:dead-letters"
LEASES = "cascade:leases"
LEASE_HOLDERS = "cascade:lease-holders"
MOTIONS = "cascade:motions"
WEBHOOKS = "cascade:webhooks"
API_KEYS = "cascade:api-keys"
RATE_LIMITS = "cascade:rate"
"""Prefix of the keys that the library `limits` makes."""


def job_key(job_id: str) -> str:
    return f"cascade:job:{job_id}"


def jobs_key(project: str) -> str:
    return f"cascade:jobs:{project}"


def events_key(job_id: str) -> str:
    return f"cascade:job:{job_id}:events"


def active_key(project: str) -> str:
    return f"cascade:active:{project}"


def turns_key(queue: str) -> str:
    return f"cascade:queue:{queue}:turns"


def clock_key(queue: str) -> str:
    return f"cascade:queue:{queue}:clock"


def waiting_key(queue: str, project: str) -> str:
    """Return the key; with an empty `project`, the prefix of such keys."""
    return f"cascade:queue:{queue}:waiting:{project}"


def heartbeat_key(worker: str) -> str:
    """Return the key; with `*` for `worker`, the pattern of such keys."""
    return f"cascade:heartbeat:{worker}"


def artifact_key(key: str) -> str:
    return f"cascade:artifact:{key}"


def output_key(key: str) -> str:
    return f"cascade:output:{key}"


def owned_keys_key(job_id: str) -> str:
    return f"cascade:job:{job_id}:keys"


def deliveries_key(job_id: str) -> str:
    return f"cascade:job:{job_id}:deliveries"


def webhook_secret_key(project: str) -> str:
    return f"cascade:webhook-secret:{project}"


def idempotency_key(project: str, digest: str) -> str:
    return f"cascade:idempotency:{project}:{digest}"


VERSION_1 = ("cascade:turns", "cascade:turns:clock")
VERSION_1_WAITING = "cascade:waiting:*"
