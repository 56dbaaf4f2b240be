"""The object store's clock: requests are signed with its time, however wrong this machine's clock is.

A store refuses what is signed more than some minutes off. Every answer has a date, so the first refusal tells the
difference, and the request is signed again.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from botocore.auth import AUTH_TYPE_MAPS, SIGV4_TIMESTAMP, S3SigV4Auth, S3SigV4QueryAuth

TOLERANCE = timedelta(minutes=1)
"""Closer clocks need no correction; dates in answers have whole seconds, and take their time."""
REFUSED = 400


class ServerClock:
    """How far the store's clock is ahead of this machine's; one for the process, which has one store."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def now(self) -> datetime:
        """Return the store's time, in UTC."""
        return datetime.now(UTC) + self.ahead

    def follow(self, client: Any) -> None:
        """Compare the clocks with every answer that a client of boto3 gets, and let a refused request go again."""
        client.meta.events.register("needs-retry.s3", self._compare)

    def _compare(self, response: Any, attempts: int, **_: object) -> float | None:
        """Return after how many seconds the request is to be sent again; None leaves that to others."""
        if response is None or "Date" not in response[0].headers:
            return None
        ahead = parsedate_to_datetime(response[0].headers["Date"]) - datetime.now(UTC)
        if abs(ahead - self.ahead) < TOLERANCE:
            return None
        self.ahead = ahead if abs(ahead) > TOLERANCE else timedelta(0)
        return 0.0 if response[0].status_code >= REFUSED and attempts == 1 else None


CLOCK = ServerClock()


class _TimedAuth:
    """Puts the store's time into a request that is about to be signed."""

    def _modify_request_before_signing(self, request: Any) -> None:
        request.context["timestamp"] = CLOCK.now().strftime(SIGV4_TIMESTAMP)
        super()._modify_request_before_signing(request)  # type: ignore[misc]


class TimedS3Auth(_TimedAuth, S3SigV4Auth):
    """Signs requests."""


class TimedS3QueryAuth(_TimedAuth, S3SigV4QueryAuth):
    """Signs URLs."""


AUTH_TYPE_MAPS.update({"s3v4": TimedS3Auth, "s3v4-query": TimedS3QueryAuth})
