"""Prompts that are longer than the text encoders read."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
from fastapi.testclient import TestClient

from cascade.models.presets.table import get_preset
from cascade.service.access.api_keys import Scope
from cascade.service.api.prompt_warnings import prompt_warnings

SENTENCE = "a red circle moving right on a gray background"  # nine words
LONG = " ".join([SENTENCE] * 9)
SHORT = " ".join([SENTENCE] * 3)


def create(client: httpx.Client, **fields: object) -> list[str]:
    warnings: list[str] = client.post("/v1/videos", json=fields).json()["warnings"]
    return warnings


def test_models_tell_how_many_tokens_they_read(client: httpx.Client) -> None:
    model = client.get("/v1/models/shapes").json()
    assert (model["max_prompt_tokens"], model["stages"][0]["max_prompt_tokens"]) == (64, 64)


def test_an_answer_says_what_of_a_prompt_is_not_used(client: httpx.Client) -> None:
    ends = ["to the left", "to the right"]
    for end in ends:
        answer = client.post("/v1/videos", json={"prompt": f"{LONG} {end}"}).json()
        assert answer["prompt"] == f"{LONG} {end}"
        read = [warning for warning in answer["warnings"] if "text encoder" in warning]
        assert read and all(
            warning.startswith("prompt: the text encoder reads 64 tokens; not used: ")
            and f'{end}" (stages: ' in warning
            for warning in read
        )
        shown = " ".join(answer["warnings"])
        assert all(spec.title in shown for spec in get_preset("shapes").stages)
        assert client.get(f"/v1/videos/{answer['id']}").json()["warnings"] == answer["warnings"]
        assert client.get("/v1/videos?limit=1").json()["data"][0]["warnings"] == answer["warnings"]
        remix = client.post(f"/v1/videos/{answer['id']}/remix", json={"prompt": SENTENCE}).json()
        assert remix["warnings"] == []
    assert not any("text encoder" in warning for warning in create(client, prompt=SHORT))
    assert create(client, prompt=SENTENCE, negative_prompt=LONG)[0].startswith("negative_prompt: ")


def test_a_setting_refuses_them(app_with: Callable[..., TestClient]) -> None:
    client = app_with(auth="off", long_prompts="refuse")
    for fields, field in (
        ({"prompt": LONG}, "prompt"),
        ({"prompt": SENTENCE, "negative_prompt": LONG}, "negative_prompt"),
    ):
        answer = client.post("/v1/videos", json=fields)
        assert (answer.status_code, answer.json()["error"]["param"]) == (422, field)
        assert "64 tokens" in answer.json()["detail"]
    video_id = client.post("/v1/videos", json={"prompt": SHORT}).json()["id"]
    assert client.post(f"/v1/videos/{video_id}/remix", json={"prompt": LONG}).status_code == 422


def test_who_may_not_read_prompts_reads_no_warnings(as_key: Callable[..., httpx.Client]) -> None:
    assert create(as_key("a", Scope.GENERATE), prompt=LONG) == []


def test_without_a_tokenizer_words_are_counted(tmp_path: Path) -> None:
    stages = get_preset("wan").stages
    assert prompt_warnings("prompt", "word " * 512, stages, tmp_path) == []
    [warning] = prompt_warnings("prompt", "word " * 513, stages, tmp_path)
    assert "512 tokens; of 513 words" in warning


def test_counting_needs_no_torch() -> None:
    script = "import sys, cascade.service.api.prompt_warnings as w, tokenizers; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
