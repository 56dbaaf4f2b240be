"""Text that is none is refused wherever a request holds it, and never stored."""

from __future__ import annotations

import json
from collections.abc import Callable

import httpx
import pytest

JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
MULTIPART = {"Content-Type": "multipart/form-data; boundary=x"}
PROMPT = '"prompt": "a red circle"'


def multipart(name: bytes, value: bytes) -> bytes:
    fields = ((b"prompt", b"a red circle"), (name, value))
    parts = (b'--x\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % field for field in fields)
    return b"".join(parts) + b"--x--\r\n"


def refuses(answer: httpx.Response, client: httpx.Client) -> None:
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.json()["detail"]
    assert client.get("/v1/videos").json()["data"] == []


BAD = {
    "lone surrogate": r"\ud800",
    "C1 control": r"a\u0085b",
    "another C1 control": r"\u009b2J",
    "delete": r"a\u007f",
    "null": r"a\u0000",
    "escape": r"\u001b[2J",
    "zero width": r"\u200b\u200d\ufeff",
    "zero width and spaces": r" \u200b ",
    "Hangul filler": r"\u3164",
    "null notehead": r"\ud834\udd59",
}
FIELDS = ("prompt", "negative_prompt", "model", "size", "seconds", "motion", "stop_after", "webhook_url")


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
def test_in_any_field_and_key_of_json(client: httpx.Client, bad: str) -> None:
    bodies = [f'{{"prompt": "x", "{field}": "{bad}"}}' for field in FIELDS]
    for field in ("metadata", "steps", "guidance_scale"):
        bodies += [f'{{{PROMPT}, "{field}": {{"{bad}": "1"}}}}', f'{{{PROMPT}, "{field}": {{"{bad}": 1}}}}']
    bodies += [
        f'{{{PROMPT}, "metadata": {{"a": "{bad}"}}}}',
        f'{{{PROMPT}, "{bad}": 1}}',
        f'"{bad}"',
        f'["{bad}"]',
    ]
    for body in bodies:
        refuses(client.post("/v1/videos", content=body.encode(), headers=JSON), client)
        for route in ("remix", "continue"):
            answer = client.post(f"/v1/videos/video_0/{route}", content=body.encode(), headers=JSON)
            assert 400 <= answer.status_code < 500, (route, body, answer.text)


@pytest.mark.parametrize(
    "content",
    [
        b'{"prompt": "\xff"}',
        b'{"prompt": "\xed\xa0\x80"}',
        b'{"prompt": "\xc0\x80"}',
        b'{"\xff": "x"}',
        b"\xff\xfe",
        '{"prompt": "a red circle"}'.encode("utf-16"),
        '{"prompt": "a red circle"}'.encode("utf-16-le"),
        '{"prompt": "a red circle"}'.encode("utf-32"),
        '\ufeff{"prompt": "\\ud800"}'.encode(),
    ],
)
def test_bytes_that_are_not_utf8_in_json(client: httpx.Client, content: bytes) -> None:
    for path in ("/v1/videos", "/v1/videos/video_0/remix", "/v1/videos/video_0/continue"):
        refuses(client.post(path, content=content, headers=JSON), client)


@pytest.mark.parametrize("bad", ["%FF", "%ED%A0%80", "%C2%85", "%1B", "%00", "%E2%80%8B", "\xff", "a%7F"])
def test_in_forms(client: httpx.Client, bad: str) -> None:
    for body in (
        f"prompt={bad}",
        f"prompt=x&{bad}=1",
        f"prompt=x&negative_prompt={bad}",
        f"prompt=x&steps={bad}",
    ):
        refuses(client.post("/v1/videos", content=body.encode("latin-1"), headers=FORM), client)


@pytest.mark.parametrize("bad", [b"\xff", b"\xed\xa0\x80", b"\xc2\x85", b"\x1b[2J", b"\x00", b"\xe2\x80\x8b"])
def test_in_multipart_forms(client: httpx.Client, bad: bytes) -> None:
    for name, value in ((b"negative_prompt", bad), (bad, b"1"), (b"metadata", b'{"a": "' + bad + b'"}')):
        refuses(client.post("/v1/videos", content=multipart(name, value), headers=MULTIPART), client)


@pytest.mark.parametrize("field", ["steps", "metadata", "guidance_scale"])
def test_in_json_within_forms(client: httpx.Client, field: str) -> None:
    for content in (r'{"\ud800": "1"}', r'{"\ud800": 1}', r'{"a": "\ud800"}', r'{"\u200b": "1"}'):
        refuses(client.post("/v1/videos", data={"prompt": "x", field: content}), client)
        refuses(
            client.post("/v1/videos", content=multipart(field.encode(), content.encode()), headers=MULTIPART),
            client,
        )


@pytest.mark.parametrize("charset", ["utf-16", "utf-7", "latin-1", "nonsense"])
def test_another_charset_is_not_supported(client: httpx.Client, charset: str) -> None:
    for media_type in (
        "application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
    ):
        headers = {"Content-Type": f"{media_type}; charset={charset}"}
        answer = client.post("/v1/videos", content=multipart(b"model", b"shapes"), headers=headers)
        assert answer.status_code == 415


def test_under_two_media_types(client: httpx.Client) -> None:
    headers = [*JSON.items(), *MULTIPART.items()]
    for field in FIELDS:
        content = rf'{{"prompt": "x", "{field}": "\ud800"}}'.encode()
        for order in (headers, headers[::-1]):
            refuses(client.post("/v1/videos", content=content, headers=order), client)


@pytest.mark.parametrize("bad", ["%FF", "%ED%A0%80", "%C2%85", "%1B", "%00", "a%7F", "%E2%80%8B"])
def test_in_queries_and_paths(client: httpx.Client, bad: str) -> None:
    for url in (
        f"/v1/videos?after={bad}",
        f"/v1/videos?{bad}=1",
        f"/v1/videos/{bad}",
        f"/v1/videos/{bad}/content",
        f"/v1/videos/video_0/content?stage={bad}",
        f"/v1/videos/{bad}/events",
        f"/v1/models/{bad}",
        f"/v1/ops/dead_letters/{bad}",
        f"/{bad}",
        f"/web/{bad}",
    ):
        answer = client.get(url)
        assert 400 <= answer.status_code < 500, url
    assert 400 <= client.delete(f"/v1/videos/{bad}").status_code < 500


@pytest.mark.parametrize("bad", [b"\xff", b"\xed\xa0\x80", b"\xc2\x85", b"\xe2\x80\x8b"])
def test_in_headers(client: httpx.Client, bad: bytes) -> None:
    for name in (b"Idempotency-Key", b"Last-Event-ID", b"Authorization", b"Content-Type"):
        headers = [(name, bad), (b"Content-Type", b"application/json")]
        refuses(client.post("/v1/videos", content=b'{"prompt": "x"}', headers=headers), client)
    assert (
        client.get("/v1/videos", headers=[(b"Cookie", b"a=\xff"), (b"User-Agent", b"\xff")]).status_code
        == 200
    )


def test_text_of_all_scripts_is_taken_as_it_is(client: httpx.Client) -> None:
    for text in (
        "ein roter Kreis, groß",
        "赤い円",
        "دائرة حمراء",
        "👩‍👩‍👧 at sunset",
        "क्षत्रिय",
        "a\tb\nc",
        "\u200fעיגול",
    ):
        answer = client.post("/v1/videos", json={"prompt": text, "metadata": {text: text, "empty": ""}})
        assert answer.status_code == 200, answer.text
        assert (answer.json()["prompt"], answer.json()["metadata"]) == (text, {text: text, "empty": ""})
        escaped = json.dumps({"prompt": text}).encode()
        assert client.post("/v1/videos", content=escaped, headers=JSON).json()["prompt"] == text
        assert client.post("/v1/videos", data={"prompt": text}).json()["prompt"] == text


def test_prompts_do_not_forge_log_lines(
    start_gateway: Callable[..., str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    log = tmp_path_factory.mktemp("log") / "gateway.log"
    url = start_gateway(log, LOG_PROMPTS="true")
    forged = "2026-01-01 00:00:00,000 ERROR cascade: forged"
    for separator in ("\n", "\r\n", "\u2028", "\u2029"):
        answer = httpx.post(f"{url}/v1/videos", json={"prompt": f"a circle{separator}{forged}"})
        assert answer.status_code == 200
    lines = log.read_text().splitlines()
    assert sum("a circle" in line for line in lines) == 4
    assert not any(line.startswith(forged) for line in lines)
