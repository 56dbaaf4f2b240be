"""Every key in Redis, of the workers and of the gateway.

| key | type | holds | lives |
|---|---|---|---|
| `cascade:job:{job}` | string | the job record, JSON (`jobs/codec.py`) | until the job is deleted |
| `cascade:jobs:{project}` | sorted set | the project's jobs by creation time | until each is deleted |
| `cascade:listing:{project}` | hash | job -> status, preset and prompt, for searches in the list (`jobs/listing.py`) | until each is deleted |
| `cascade:job:{job}:preview` | string | the last preview of the stage that runs, JSON (`previews.py`) | 10 minutes at most, until the stage ends |
| `cascade:job:{job}:events` | stream | what happened to the job (`jobs/events.py`) | 7 days after the last event |
| `cascade:news` | stream | the jobs that have new events | the last 10,000 |
| `cascade:open` | hash | unfinished job -> `{queue} {project}` of its stage | until each ends |
| `cascade:open:{project}` | set | the project's unfinished jobs | until each ends |
| `cascade:stored` | hash | project -> bytes that its jobs' records name | for ever |
| `cascade:deleted:{project}` | sorted set | deleted jobs by creation time, for pages that begin after one | a day after the last |
| `cascade:due:jobs` | sorted set | ended jobs by the time of their deletion | until each is deleted |
| `cascade:due:intermediates` | sorted set | ended jobs by the time when their tensors go | until they are deleted |
| `cascade:due:objects` | sorted set | deleted jobs whose bytes go, by the time of the next try (`jobs/purge.py`) | until the object store has confirmed it twice |
| `cascade:dead-letters` | hash | job -> why it failed for good, JSON | until dismissed, replayed or deleted |
| `{queue}` | list | Celery's messages, one wake-up for each stage that waits; kombu's key | until a worker takes each |
| `cascade:line:{queue}` | sorted set | projects with waiting stages by their last turn | while any stage waits |
| `cascade:line:{queue}:{project}` | sorted set | jobs whose stage of the queue waits, by creation time | until each is taken |
| `cascade:reconciler` | string | the process that compares all queues at the moment | a second |
| `cascade:leases` | sorted set | `{job}/{queue}` by the time when its lease runs out | until its stage ends; without a holder, when a delayed stage goes on |
| `cascade:lease-holders` | hash | `{job}/{queue}` -> owner of the lease | as the lease |
| `cascade:stage-times:{queue}:{choices}` | list | seconds that the last runs of a stage took, with the same choices (`jobs/stage_times.py`) | 30 days after the last |
| `cascade:done:{queue}:{minute}` | string | how many runs of a stage were completed in a minute | 2 hours |
| `cascade:workers` | set | names of workers that have sent heartbeats | until found to be gone |
| `cascade:heartbeat:{worker}` | string | where a worker is and what it does, JSON | 10 s after the last heartbeat |
| `cascade:artifact:{key}` | string | small tensors and prompt embeddings | `intermediate_ttl_s` and a day at most |
| `cascade:output:{key}` | string | what a finished stage stored, JSON | as artifacts |
| `cascade:job:{job}:keys` | set | the two kinds of key above that belong to the job | as artifacts |
| `cascade:motions` | hash | `{preset}/{name}` -> registered motion, JSON | until removed |
| `cascade:webhooks` | sorted set | jobs by the time of their next delivery | until taken or given up |
| `cascade:job:{job}:deliveries` | list | deliveries of the job's webhook, JSON | until the job is deleted |
| `cascade:download-secret` | string | the key that signs URLs of files | for ever |
| `cascade:webhook-secret:{project}` | string | base64 of the signing key | for ever |
| `cascade:webhook-secret-before:{project}` | string | base64 of the signing key that it replaces | 24 hours |
| `cascade:webhooks:running` | sorted set | `{job} {project}` of deliveries under way by the time when they are given up | until each ends |
| `cascade:webhooks:project:{job}` | string | the project of a job with a due webhook | 1 hour |
| `cascade:api-keys` | hash | key -> API key's record, JSON | until revoked |
| `cascade:api-keys:uses` | hash | key -> when it was last used (Unix seconds) | until revoked |
| `cascade:idempotency:{project}:{digest}` | string | the request and job of an idempotency key, JSON | 24 hours |
| `cascade:rate...` | of `limits` | requests of an API key in the last minute | 1 minute |

Earlier versions had other queues and turns; `adoption.py` empties the keys at the end.
"""

from __future__ import annotations

NEWS = "cascade:news"
OPEN = "cascade:open"
STORED = "cascade:stored"
JOBS_DUE = "cascade:due:jobs"
OBJECTS_DUE = "cascade:due:objects"
INTERMEDIATES_DUE = "cascade:due:intermediates"
DEAD_LETTERS = "cascade:dead-letters"
LEASES = "cascade:leases"
LEASE_HOLDERS = "cascade:lease-holders"
LINES = "cascade:line:"
RECONCILER = "cascade:reconciler"
WORKERS = "cascade:workers"
MOTIONS = "cascade:motions"
WEBHOOKS = "cascade:webhooks"
WEBHOOKS_RUNNING = "cascade:webhooks:running"
DOWNLOAD_SECRET = "cascade:download-secret"  # noqa: S105
API_KEYS = "cascade:api-keys"
API_KEY_USES = "cascade:api-keys:uses"
RATE_LIMITS = "cascade:rate"
"""Prefix of the keys that the library `limits` makes."""


def job_key(job_id: str) -> str:
    return f"cascade:job:{job_id}"


def jobs_key(project: str) -> str:
    return f"cascade:jobs:{project}"


def listing_key(project: str) -> str:
    return f"cascade:listing:{project}"


def preview_key(job_id: str) -> str:
    return f"cascade:job:{job_id}:preview"


def stage_times_key(queue: str, choices: str) -> str:
    return f"cascade:stage-times:{queue}:{choices}"


def done_key(queue: str, minute: int) -> str:
    return f"cascade:done:{queue}:{minute}"


def events_key(job_id: str) -> str:
    return f"cascade:job:{job_id}:events"


def open_key(project: str) -> str:
    return f"{OPEN}:{project}"


def deleted_key(project: str) -> str:
    return f"cascade:deleted:{project}"


def line_key(queue: str) -> str:
    return f"{LINES}{queue}"


def waiting_key(queue: str, project: str) -> str:
    """Return the key; with an empty `project`, the prefix of such keys."""
    return f"{LINES}{queue}:{project}"


def lease_member(job_id: str, queue: str) -> str:
    """Name a lease in the lease table."""
    return f"{job_id}/{queue}"


def heartbeat_key(worker: str) -> str:
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


def webhook_project_key(job_id: str) -> str:
    """Return the key; with an empty `job_id`, the prefix of such keys."""
    return f"cascade:webhooks:project:{job_id}"


def previous_webhook_secret_key(project: str) -> str:
    return f"cascade:webhook-secret-before:{project}"


def idempotency_key(project: str, digest: str) -> str:
    return f"cascade:idempotency:{project}:{digest}"


EARLIER_ACTIVE = "cascade:active"
VERSION_1 = ("cascade:turns", "cascade:turns:clock")
EARLIER_WAITING = ("cascade:waiting:*", "cascade:queue:*", "cascade:active:*")
