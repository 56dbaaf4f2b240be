"""The OpenAPI document against the running gateway: thousands of generated requests, all of schemathesis' checks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.core.result import Ok

from cascade.models.presets.table import get_preset
from cascade.service.access.api_keys import Scope
from cascade.workers.queue.heartbeat import Heartbeat
from cascade.workers.servers import Servers

CASES = 80
"""Per operation, of valid requests and again of invalid ones."""

FEW = settings(max_examples=CASES, deadline=None, database=None, suppress_health_check=list(HealthCheck))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_answer_is_as_the_document_says(
    start_gateway: Callable[..., str],
    as_key: Callable[..., httpx.Client],
    finish: Callable[..., None],
    connected: Servers,
) -> None:
    many = "1000000"
    url = start_gateway(
        AUTH="on",
        RATE_LIMIT_PER_MINUTE=many,
        MAX_ACTIVE_JOBS=many,
        MAX_ACTIVE_JOBS_PER_PROJECT=many,
    )
    client = as_key("a", *Scope, url=url)
    bearer = client.headers["authorization"].removeprefix("Bearer ")
    # What a preset offers, and which characters a text may hold, is no matter of JSON Schema: both may be refused.
    accepted = ["2xx", "3xx", "400", "404", "409", "422"]
    config = schemathesis.Config.from_dict(
        {
            "auth": {"openapi": {"HTTPBearer": {"bearer": bearer}}},
            "checks": {"positive_data_acceptance": {"expected-statuses": accepted}},
        }
    )
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json", config=config)
    video_id = client.post("/v1/videos", json={"prompt": "a red circle"}).json()["id"]
    finish(video_id)
    worker = Heartbeat(connected.redis, get_preset("shapes").queues)  # so that /readyz says yes
    worker.set("busy", video_id)
    worker.start()
    sent: Counter[str] = Counter()

    def send(case: Case[Any]) -> None:
        """Every other request is about a video that there is, unless it would delete it."""
        sent[case.operation.label] += 1
        if (
            "video_id" in (case.path_parameters or {})
            and sent[case.operation.label] % 2
            and case.method != "DELETE"
        ):
            case.path_parameters["video_id"] = video_id
        case.call_and_validate(timeout=30)

    for result in schema.get_all_operations():
        assert isinstance(result, Ok)
        operation = result.ok()
        for mode in GenerationMode.POSITIVE, GenerationMode.NEGATIVE:
            if mode is GenerationMode.POSITIVE or operation.body or list(operation.iter_parameters()):
                FEW(given(case=operation.as_strategy(generation_mode=mode))(send))()
    worker.stop()
    assert sum(sent.values()) >= 2000, sent
