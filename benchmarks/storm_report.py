"""What a storm has left: every video as its client finds it, its frames, and what lies in the servers."""

from __future__ import annotations

import hashlib
import io
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import av
import httpx
from storm_clients import Submission
from storm_stack import PRESET, QUEUES, StormStack

from cascade.models.presets.table import get_preset
from cascade.workers.keys import LEASES, LINES, OBJECTS_DUE, OPEN, WEBHOOKS, events_key
from cascade.workers.redis_client import RedisClient

STAGES = get_preset(PRESET).stage_names
FINAL = ("completed", "failed", "cancelled")
JOB_KEY = re.compile(r"cascade:job:(video_[0-9a-f]{32})")
NAMES = (
    (re.compile(r"video_[0-9a-f]{32}"), "{job}"),
    (re.compile(r"[0-9a-f]{32,64}"), "{digest}"),
    (re.compile(r"heartbeat:.*"), "heartbeat:{worker}"),
)


@dataclass(frozen=True)
class Standstill:
    """The longest times in which nothing happened, in seconds, by Redis's clock.

    Attributes:
        running_s: between two events of one stage that a worker had; it includes the lease of a worker that was killed.
        queue_s: in which a queue had open stages, and none of them had an event.
    """

    running_s: float
    queue_s: float


def frames_digest(http: httpx.Client, video_id: str) -> str:
    """Return the SHA-256 of a video's decoded frames. Raises httpx.HTTPError if it cannot be downloaded."""
    answer = http.get(f"/v1/videos/{video_id}/content", follow_redirects=True)
    answer.raise_for_status()
    digest = hashlib.sha256()
    with av.open(io.BytesIO(answer.content), "r") as container:
        for frame in container.decode(video=0):
            digest.update(frame.to_ndarray(format="rgb24").tobytes())
    return digest.hexdigest()


def unfinished(http: httpx.Client, submissions: Iterable[Submission]) -> int:
    """Count the videos that are not over yet."""
    count = 0
    for submission in submissions:
        for video_id in submission.ids if not submission.gone else ():
            answer = http.get(f"/v1/videos/{video_id}")
            count += answer.is_success and answer.json()["status"] not in FINAL
    return count


def judge(
    http: httpx.Client, submissions: Iterable[Submission], frames: dict[int, str]
) -> dict[str, list[str]]:
    """Sort the videos by what became of them; `frames` are the digests of undisturbed videos by seed."""
    outcome: dict[str, list[str]] = defaultdict(list)
    for submission in submissions:
        if not submission.ids:
            outcome["never_accepted"].append(f"storm-{submission.number}")
        if len(submission.ids) > 1:
            outcome["duplicated"] += sorted(submission.ids)
        for video_id in submission.ids:
            outcome[_state(http, submission, video_id, frames)].append(video_id)
    return outcome


def _state(http: httpx.Client, submission: Submission, video_id: str, frames: dict[int, str]) -> str:
    answer = http.get(f"/v1/videos/{video_id}")
    if submission.gone:
        return "deleted" if answer.status_code == 404 else "deleted_but_there"
    if answer.status_code == 404:
        return "lost"
    status: str = answer.json()["status"]
    if status not in FINAL:
        return "standing_still"
    if status == "completed":
        whole = answer.json()["stages"][-1]["status"] == "completed"
        try:
            digest = frames_digest(http, video_id)
        except (httpx.HTTPError, av.FFmpegError):
            return "unreadable"
        if whole and digest != frames[submission.seed]:
            return "unequal"
    return status if status != "cancelled" or submission.plan == "cancel" else "cancelled_by_nobody"


def leftovers(stack: StormStack) -> dict[str, object]:
    """Count what lies in Redis and the object store, by kind."""
    redis = stack.redis()
    keys = [key.decode(errors="replace") for key in redis.scan_iter(count=1000)]
    jobs = {match[1] for key in keys if (match := JOB_KEY.fullmatch(key))}
    stored = _objects(stack)
    owners = {key.split("/")[1] for key in stored}
    return {
        "redis_keys": len(keys),
        "redis_keys_by_kind": dict(sorted(Counter(map(_kind, keys)).items())),
        "redis_keys_without_job": len([key for key in keys if _owner(key) not in (None, *jobs)]),
        "messages": sum(redis.llen(queue) for queue in QUEUES if redis.type(queue) == b"list"),
        "unacknowledged": redis.hlen("unacked"),
        "open": _size(redis, OPEN),
        "due_objects": _size(redis, OBJECTS_DUE),
        "leases": _size(redis, LEASES),
        "webhooks": _size(redis, WEBHOOKS),
        "waiting": sum(_size(redis, key) for key in keys if key.startswith(LINES) and key.count(":") > 2),
        "jobs": len(jobs),
        "objects": len(stored),
        "objects_without_job": sorted(owners - jobs),
    }


def standstill(redis: RedisClient, video_ids: Iterable[str]) -> Standstill:
    """Find the longest standstills in the events of the videos that are still there."""
    running = 0.0
    intervals: dict[str, list[tuple[float, float]]] = defaultdict(list)
    happened: dict[str, list[float]] = defaultdict(list)
    for video_id in video_ids:
        open_stages: dict[str, float] = {}
        last: dict[str, float] = {}
        for entry_id, fields in redis.xrange(events_key(video_id)):
            at, kind = int(entry_id.split(b"-")[0]) / 1000, fields[b"type"].decode()
            match = re.search(rb'"stage": "([^"]+)"', fields[b"data"])
            if match is None:
                if kind == "video.queued":
                    open_stages.setdefault(STAGES[0], at)
                else:
                    _close(open_stages, intervals, at)
                continue
            stage = match[1].decode()
            open_stages.setdefault(stage, at)
            happened[stage].append(at)
            running = max(running, at - last.pop(stage, at))
            if kind in ("stage.started", "stage.progress"):
                last[stage] = at
            if kind == "stage.completed":
                intervals[stage].append((open_stages.pop(stage), at))
                following = STAGES[STAGES.index(stage) + 1 :]
                if following:
                    open_stages[following[0]] = at
    return Standstill(running, max((_longest(intervals[s], happened[s]) for s in STAGES), default=0.0))


def _close(stages: dict[str, float], intervals: dict[str, list[tuple[float, float]]], at: float) -> None:
    for stage, since in stages.items():
        intervals[stage].append((since, at))
    stages.clear()


def _longest(intervals: list[tuple[float, float]], happened: list[float]) -> float:
    """Return the longest time between events, or since an opening, in which something was open."""
    points = sorted(happened)
    longest = 0.0
    for before, after in pairwise(points):
        since = [max(start, before) for start, end in intervals if start < after and end > before]
        longest = max(longest, after - min(since, default=after))
    return longest


def _objects(stack: StormStack) -> list[str]:
    objects = stack.objects()
    pages = objects._client.get_paginator("list_objects_v2").paginate(Bucket=objects.bucket, Prefix="jobs/")
    return [item["Key"] for page in pages for item in page.get("Contents", [])]


def _kind(key: str) -> str:
    for pattern, name in NAMES:
        key = pattern.sub(name, key)
    return key


def _owner(key: str) -> str | None:
    """Return the job that a key belongs to, if it belongs to one."""
    match = re.search(r"video_[0-9a-f]{32}", key)
    return match and match[0]


def _size(redis: RedisClient, key: str) -> int:
    kind = redis.type(key).decode()
    sizes = {"set": redis.scard, "zset": redis.zcard, "list": redis.llen, "hash": redis.hlen}
    return int(sizes[kind](key)) if kind in sizes else 0
