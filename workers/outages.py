"""Outages: servers of ours, or disk space, that are away. A job that needs them waits; it is not the job's fault."""

from __future__ import annotations

import errno
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError
from kombu.exceptions import OperationalError
from redis.exceptions import ClusterDownError, OutOfMemoryError, ReadOnlyError, ResponseError, TryAgainError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from cascade.workers.errors import LeaseLost, OutageTooLong, WorkerStopping
from cascade.workers.jobs.store import JobStore
from cascade.workers.jobs.transitions import end_outage, note_outage
from cascade.workers.queue.lease import Lease

T = TypeVar("T")

REDIS = "Redis"
OBJECT_STORE = "the object store"
DISK = "disk space"

FIRST_PAUSE_S = 0.5
MAX_PAUSE_S = 30.0
LOOK_S = 0.25
"""How often a worker that waits looks whether it has to stop."""

REDIS_AWAY = (
    RedisConnectionError,
    RedisTimeoutError,
    OutOfMemoryError,
    ReadOnlyError,
    ClusterDownError,  # MasterDownError too
    TryAgainError,
)
REDIS_CODES = ("MISCONF", "NOREPLICAS", "BUSY ", "UNBLOCKED", "OOM", "LOADING")
"""Of answers for which redis-py has no type: it takes the code off those that it knows."""
IN_PIPELINE = "of pipeline caused error: "
"""What redis-py puts before the answer to a command of a pipeline."""
FAULTS_OF_OURS = (400, 411, 412, 413, 416)
"""Answers of the object store that mean a wrong request of ours, which waiting does not mend; an object that is gone is
ArtifactLost, and another 404 is a bucket or a server that is gone."""
AWAY_CODES = (
    "NoSuchBucket",
    "RequestTimeout",
    "SlowDown",
    "IncompleteBody",
    "BadDigest",
    "ExpiredToken",
    "InvalidToken",
    "TokenRefreshRequired",
)
"""What it answers with such a status, although it, the way to it or its credentials are at fault."""

logger = logging.getLogger(__name__)


def outage(error: BaseException) -> str | None:
    """Name what is away when `error` says so; None if it says something else."""
    match error:
        case OperationalError():
            return REDIS
        case ResponseError() if str(error).rpartition(IN_PIPELINE)[2].startswith(REDIS_CODES):
            return REDIS
        case _ if isinstance(error, REDIS_AWAY):
            return REDIS
        case ClientError():
            return OBJECT_STORE if _is_away(error) else None
        case BotoCoreError() | ResponseParserError():
            return OBJECT_STORE
        case OSError() if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return DISK
    return None


def _is_away(error: ClientError) -> bool:
    if error.response.get("Error", {}).get("Code") in AWAY_CODES:
        return True
    return error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") not in FAULTS_OF_OURS


@dataclass
class Patience:
    """Waits, ever longer up to MAX_PAUSE_S, while something that a running stage needs is away.

    Attributes:
        must_stop: returns whether this worker's time to finish the stage is over.
        limit_s: how long it waits in all.
        noted: whether the record says that the stage waits.
    """

    jobs: JobStore
    lease: Lease
    stage: str
    must_stop: Callable[[], bool]
    limit_s: float
    noted: bool = False
    _since: float | None = field(default=None, init=False)

    def __call__(self, action: Callable[[], T]) -> T:
        """Try `action` until nothing that it needs is away; what else it raises is raised.

        Raises:
            OutageTooLong: it waited for longer than it may.
            LeaseLost, WorkerStopping, JobNotFound, IllegalTransition: the stage has to stop.
        """
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                result = action()
            except Exception as error:
                what = outage(error)
                if what is None:
                    raise
                logger.warning("stage %s waits for %s: %s", self.stage, what, error)
                self.note(what)
            else:
                self._end()
                return result
            self._pause(pause_s)
            pause_s = min(2 * pause_s, MAX_PAUSE_S)

    def note(self, what: str) -> None:
        """Write on the record what is away, as far as Redis is not. Raises OutageTooLong when the time is over."""
        self._since = self._since or time.monotonic()
        waited_s = time.monotonic() - self._since
        if what != REDIS:
            waited_s = max(waited_s, self._write_note(what))
        if waited_s > self.limit_s:
            raise OutageTooLong(
                f"{what} was away for longer than CASCADE_OUTAGE_LIMIT_H ({self.limit_s / 3600:g} hours)"
            )

    def _write_note(self, what: str) -> float:
        """Return how long the stage has waited by its record, in seconds, whichever workers it had."""
        try:
            now = self.jobs.now()
            change = partial(note_outage, stage=self.stage, what=what, now=now)
            since = self.jobs.update(self.lease.job_id, change).stage(self.stage).waiting_since
        except Exception as error:
            if outage(error) is None:
                raise
            return 0.0
        self.noted = True
        return 0.0 if since is None else now - since

    def _end(self) -> None:
        self._since = None
        if self.noted:
            self.noted = False
            self(lambda: self.jobs.update(self.lease.job_id, partial(end_outage, stage=self.stage)))

    def _pause(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while (left_s := deadline - time.monotonic()) > 0:
            if self.lease.lost.is_set():
                raise LeaseLost(f"another worker has taken stage {self.stage}")
            if self.must_stop():
                raise WorkerStopping(f"stage {self.stage} is handed back")
            time.sleep(min(LOOK_S, left_s))
