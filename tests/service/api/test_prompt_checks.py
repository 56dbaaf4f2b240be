"""Prompts that are checked while they are written, and what `/v1/models` says that a form needs."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from cascade.models.presets.table import get_preset
from cascade.models.prompt_guide import prompt_doubts, vocabulary
from cascade.service.access.api_keys import Scope
from cascade.workers.job_queue import JobQueue

FOREIGN = "a dog surfing on a wave"
CHECK = "/v1/prompts/check"


def warnings(client: httpx.Client, **body: object) -> list[str]:
    answer = client.post(CHECK, json=body)
    assert answer.status_code == 200, answer.text
    found: list[str] = answer.json()["warnings"]
    return found


def test_a_prompt_is_checked_without_queueing_anything(client: httpx.Client, job_queue: JobQueue) -> None:
    assert warnings(client, prompt="a red circle moving right on a gray background") == []
    assert warnings(client, model="shapes", prompt="red " * 90)[0].startswith(
        "prompt: the text encoder reads 64 tokens"
    )
    assert warnings(client, prompt="a red circle", negative_prompt="blur " * 90)[0].startswith(
        "negative_prompt: the text encoder reads 64 tokens"
    )
    assert job_queue.jobs.page(10) == ([], None)


def test_a_prompt_that_the_preset_does_not_understand_runs_with_the_warnings_of_its_check(
    client: httpx.Client,
) -> None:
    doubts = [f"prompt: {doubt}" for doubt in prompt_doubts(FOREIGN, "shapes")]
    assert doubts
    assert warnings(client, prompt=FOREIGN) == doubts
    video = client.post("/v1/videos", json={"prompt": FOREIGN}).json()
    assert (video["status"], video["warnings"]) == ("queued", doubts)
    assert client.get("/v1/videos", params={"q": "dog"}).json()["data"][0]["warnings"] == doubts


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"prompt": " "}, "prompt"),
        ({}, "prompt"),
        ({"prompt": "x" * 1001}, "prompt"),
        ({"prompt": "x", "negative_prompt": "x" * 1001}, "negative_prompt"),
        ({"prompt": "x", "model": "nothing"}, "model"),
        ({"prompt": "x", "seed": 7}, "seed"),
    ],
)
def test_what_cannot_be_checked_is_refused_by_field(
    body: dict[str, object], field: str, client: httpx.Client
) -> None:
    answer = client.post(CHECK, json=body)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


def test_any_key_may_check_a_prompt_and_nobody_without_one(
    as_key: Callable[..., httpx.Client], guarded_url: str
) -> None:
    for scope in Scope:
        assert as_key("a", scope).post(CHECK, json={"prompt": "a red circle"}).status_code == 200
    assert httpx.post(f"{guarded_url}{CHECK}", json={"prompt": "a red circle"}).status_code == 401


def test_checks_count_as_changes_of_a_key(
    as_key: Callable[..., httpx.Client], start_gateway: Callable[..., str]
) -> None:
    url = start_gateway(AUTH="on", REQUEST_RATE_LIMIT_PER_MINUTE="3")
    client = as_key("a", url=url)
    answers = [client.post(CHECK, json={"prompt": "a red circle"}) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]


def test_a_model_says_what_it_knows_and_what_may_be_chosen(client: httpx.Client) -> None:
    model = client.get("/v1/models/shapes").json()
    known = {attribute: list(words) for attribute, words in vocabulary("shapes").items()}
    assert model["vocabulary"] == known
    assert "circle" in known["shape"]
    assert (model["max_prompt_chars"], model["max_seed"], model["max_best_of"]) == (1000, 2**32 - 1, 4)
    preset = get_preset("shapes")
    for stage, spec in zip(model["stages"], preset.stages, strict=True):
        low = {
            "steps": {spec.name: stage["min_steps"]},
            "guidance_scale": {spec.name: stage["min_guidance_scale"]},
        }
        high = {
            "steps": {spec.name: stage["max_steps"]},
            "guidance_scale": {spec.name: stage["max_guidance_scale"]},
        }
        for choices in (low, high):
            assert client.post("/v1/videos", json={"prompt": "x", **choices}).status_code == 200, choices
        for choices, field in (
            ({"steps": {spec.name: stage["min_steps"] - 1}}, f"steps.{spec.name}"),
            ({"steps": {spec.name: stage["max_steps"] + 1}}, f"steps.{spec.name}"),
            (
                {"guidance_scale": {spec.name: stage["min_guidance_scale"] - 0.1}},
                f"guidance_scale.{spec.name}",
            ),
            (
                {"guidance_scale": {spec.name: stage["max_guidance_scale"] + 0.1}},
                f"guidance_scale.{spec.name}",
            ),
        ):
            answer = client.post("/v1/videos", json={"prompt": "x", **choices})
            assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)
    assert client.post("/v1/videos", json={"prompt": "x", "seed": model["max_seed"]}).status_code == 200
    refused = client.post("/v1/videos", json={"prompt": "x", "seed": model["max_seed"] + 1})
    assert refused.json()["errors"][0]["field"] == "seed"
