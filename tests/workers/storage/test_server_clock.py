"""A machine whose clock is off works with the object store all the same."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo

import botocore.auth
import httpx
import pytest

from cascade.models.media.file import MP4
from cascade.workers.servers import Servers
from cascade.workers.storage import server_clock
from cascade.workers.storage.object_store import ObjectStore


@pytest.fixture(params=[1, -1, 8 * 24])
def hours_off(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """This process's clock, as far as signatures are concerned."""
    off = timedelta(hours=request.param)

    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Clock:
            moment = datetime.now(UTC) + off
            return cls.fromtimestamp(moment.timestamp(), tz)

    monkeypatch.setattr(server_clock, "datetime", Clock)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: datetime.now(UTC) + off)
    yield request.param
    server_clock.CLOCK.ahead = timedelta(0)


def test_requests_and_urls_are_signed_with_the_stores_time(connected: Servers, hours_off: int) -> None:
    objects = ObjectStore(connected.settings, timeout_s=10, attempts=2)
    objects.put("jobs/video_1/x", b"bytes", MP4)
    assert objects.get("jobs/video_1/x") == b"bytes"
    assert server_clock.CLOCK.ahead.total_seconds() == pytest.approx(-3600 * hours_off, abs=60)
    url = objects.presign("jobs/video_1/x", "x.mp4", MP4)
    assert httpx.get(url).content == b"bytes"
    (page,) = objects.pages("jobs/")
    assert abs(page[0].age_s) < 60
