"""Downloads through the gateway: byte ranges, conditions, HEAD, and signed URLs that need no key."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from fastapi.testclient import TestClient

from cascade.service.access.api_keys import Scope
from cascade.service.api.byte_ranges import ByteRange, parse_ranges
from cascade.service.api.download_urls import SignedFile, check_downloads, download_secret
from cascade.workers.job_queue import JobQueue
from cascade.workers.jobs import transitions
from cascade.workers.jobs.record import StageOutput
from cascade.workers.keys import DOWNLOAD_SECRET
from cascade.workers.servers import Servers
from cascade.workers.settings import Settings

PROMPT = "a red circle"
CONTENT = b"mp4 expert-translation"  # 22 bytes, as the fixture `finish` stores them
Finish = Callable[..., None]


@pytest.fixture
def video(client: httpx.Client, finish: Finish) -> str:
    video_id: str = client.post("/v1/videos", json={"prompt": PROMPT}).json()["id"]
    finish(video_id)
    return video_id


@pytest.fixture(params=["content", "url"])
def address(request: pytest.FixtureRequest, client: httpx.Client, video: str) -> str:
    """Both addresses of the finished MP4."""
    url: str = client.get(f"/v1/videos/{video}").json()["url"]
    return f"/v1/videos/{video}/content" if request.param == "content" else url


def test_a_file_is_sent_whole_with_all_that_players_ask_for(client: httpx.Client, address: str) -> None:
    answer = client.get(address)
    assert (answer.status_code, answer.content) == (200, CONTENT)
    headers = answer.headers
    assert (headers["content-type"], headers["content-length"]) == ("video/mp4", "22")
    assert headers["accept-ranges"] == "bytes"
    assert headers["content-disposition"].startswith("inline; filename=")
    assert headers["etag"].startswith('"')


RANGES = {
    "bytes=0-3": (206, b"mp4 ", "bytes 0-3/22"),
    "bytes=0-0": (206, b"m", "bytes 0-0/22"),
    "bytes=4-": (206, b"expert-translation", "bytes 4-21/22"),
    "bytes=0-": (206, CONTENT, "bytes 0-21/22"),
    "bytes=-11": (206, b"translation", "bytes 11-21/22"),
    "bytes=-100": (206, CONTENT, "bytes 0-21/22"),
    "bytes=20-99999999999999999999999": (206, b"on", "bytes 20-21/22"),
    "Bytes = 0-3": (206, b"mp4 ", "bytes 0-3/22"),
    "bytes=0-3,2-5": (206, b"mp4 ex", "bytes 0-5/22"),  # they overlap
    "bytes=100-200, 0-1": (206, b"mp", "bytes 0-1/22"),
    "bytes=22-": (416, None, "bytes */22"),
    "bytes=-0": (416, None, "bytes */22"),
    "bytes=100-200,300-": (416, None, "bytes */22"),
    "bytes=5-2": (200, CONTENT, None),
    "bytes=a-b": (200, CONTENT, None),
    "bytes=-": (200, CONTENT, None),
    "bytes=": (200, CONTENT, None),
    "bytes=--1": (200, CONTENT, None),
    "lines=0-3": (200, CONTENT, None),
    "bytes 0-3": (200, CONTENT, None),
    "bytes=" + ",".join(f"{at}-{at}" for at in range(0, 66, 2)): (200, CONTENT, None),  # too many
}


def test_byte_ranges_are_sent_as_they_are_asked_for(client: httpx.Client, address: str) -> None:
    for header, (status, content, content_range) in RANGES.items():
        answer = client.get(address, headers={"Range": header})
        assert (answer.status_code, answer.headers.get("content-range")) == (status, content_range), header
        if content is not None:
            assert (answer.content, answer.headers["content-type"]) == (content, "video/mp4"), header
            assert answer.headers["content-length"] == str(len(content)), header


def test_several_ranges_come_as_parts(client: httpx.Client, address: str) -> None:
    answer = client.get(address, headers={"Range": "bytes=4-9, 0-2, -4"})
    media_type, _, boundary = answer.headers["content-type"].partition("; boundary=")
    assert (answer.status_code, media_type) == (206, "multipart/byteranges")
    parts = [
        part.strip(b"\r\n").split(b"\r\n\r\n") for part in answer.content.split(b"--" + boundary.encode())
    ]
    assert [part[1] for part in parts[1:-1]] == [b"expert", b"mp4", b"tion"]
    assert parts[1][0] == b"Content-Type: video/mp4\r\nContent-Range: bytes 4-9/22"
    assert parts[-1] == [b"--"]


def test_conditions_are_kept(client: httpx.Client, address: str) -> None:
    etag = client.get(address).headers["etag"]
    first = {"Range": "bytes=0-2"}
    cases: list[tuple[dict[str, str], int]] = [
        ({"If-None-Match": etag}, 304),
        ({"If-None-Match": f'"other", W/{etag}'}, 304),
        ({"If-None-Match": "*"}, 304),
        ({"If-None-Match": '"other"'}, 200),
        ({"If-None-Match": etag} | first, 304),
        ({"If-Match": etag}, 200),
        ({"If-Match": "*"} | first, 206),
        ({"If-Match": '"other"'}, 412),
        ({"If-Match": f"W/{etag}"}, 412),
        ({"If-Range": etag} | first, 206),
        ({"If-Range": '"other"'} | first, 200),
        ({"If-Range": f"W/{etag}"} | first, 200),
        ({"If-Range": "Wed, 21 Oct 2026 07:28:00 GMT"} | first, 200),
    ]
    for headers, status in cases:
        answer = client.get(address, headers=headers)
        assert answer.status_code == status, headers
        assert answer.headers["etag"] == etag, headers
        if status == 304:
            assert answer.content == b""


def test_a_list_of_tags_may_come_in_several_lines(client: httpx.Client, address: str) -> None:
    etag = client.get(address).headers["etag"]
    for name, status in (("If-None-Match", 304), ("If-Match", 200)):
        answer = client.get(address, headers=[(name, '"other"'), (name, etag)])
        assert answer.status_code == status


def test_head_is_answered_like_get_everywhere(client: httpx.Client, address: str, video: str) -> None:
    path = f"/v1/videos/{video}"
    for same in (
        address,
        path,
        f"{path}/events",
        "/v1/videos",
        "/v1/models",
        "/healthz",
        "/",
        "/ops",
        "/docs",
        "/nowhere",
    ):
        with client.stream("GET", same) as got:
            head = client.head(same)
            assert (head.status_code, head.content) == (got.status_code, b""), same
            for name in ("content-type", "content-length", "etag", "accept-ranges"):
                if same != path or name != "content-length":
                    assert head.headers.get(name) == got.headers.get(name), (same, name)
    assert client.head(address, headers={"Range": "bytes=0-2"}).headers["content-length"] == "22"
    waiting = client.post("/v1/videos", json={"prompt": PROMPT}).json()["id"]
    assert client.head(f"/v1/videos/{waiting}/events", timeout=5).status_code == 200


def test_tensors_in_redis_have_ranges_too(client: httpx.Client, video: str) -> None:
    path = f"/v1/videos/{video}/content?variant=safetensors&stage=keyframes"
    answer = client.get(path, headers={"Range": "bytes=-9"})
    assert (answer.status_code, answer.content) == (206, b"keyframes")
    assert answer.headers["content-type"] == "application/vnd.safetensors"


def test_a_large_file_is_sent_in_chunks_and_may_be_left_unread(
    client: httpx.Client, job_queue: JobQueue
) -> None:
    content = bytes(range(256)) * 16_384  # 4 MiB
    video_id = client.post("/v1/videos", json={"prompt": PROMPT, "stop_after": "keyframes"}).json()["id"]
    artifacts = job_queue.artifacts
    file = artifacts.put_file(f"jobs/{video_id}/keyframes/large.mp4", content, "video/mp4")
    tensors = artifacts.put_tensors(video_id, f"jobs/{video_id}/keyframes/large.safetensors", b"tensors")
    output = StageOutput(tensors, {"mp4": file}, 1.0, 1)
    job_queue.jobs.update(video_id, lambda job: transitions.start_stage(job, "keyframes", "w", 1.0))
    job_queue.jobs.update(video_id, lambda job: transitions.complete_stage(job, "keyframes", output, 2.0))
    url = client.get(f"/v1/videos/{video_id}").json()["url"]
    assert client.get(url).content == content
    part = client.get(url, headers={"Range": "bytes=1000000-3000000"})
    assert part.content == content[1_000_000:3_000_001]
    for _ in range(5):
        with client.stream("GET", url) as answer:
            next(answer.iter_bytes(1024))
    assert client.get(url, headers={"Range": "bytes=-1"}).content == b"\xff"


def test_a_signed_url_needs_no_key_and_cannot_be_changed(
    as_key: Callable[..., httpx.Client], finish: Finish, connected: Servers
) -> None:
    owner = as_key("a")
    ids = [owner.post("/v1/videos", json={"prompt": PROMPT}).json()["id"] for _ in range(2)]
    for video_id in ids:
        finish(video_id)
    video = owner.get(f"/v1/videos/{ids[0]}").json()
    url: str = video["url"]
    assert httpx.get(url).content == CONTENT
    assert httpx.get(video["stages"][0]["preview_url"]).content == b"mp4 keyframes"
    expires = parse_qs(urlsplit(url).query)["expires"][0]
    changed = (
        url.replace(ids[0], ids[1]),
        url.replace(f"expires={expires}", f"expires={int(expires) + 1}"),
        url.replace("filename=video", "filename=other"),
        url[:-1] + ("0" if url[-1] != "0" else "1"),
    )
    assert [httpx.get(one).status_code for one in changed] == [403] * 4
    assert httpx.get(url.partition("?")[0]).status_code == 422
    connected.redis.delete(DOWNLOAD_SECRET)
    assert httpx.get(url).status_code == 403
    again = owner.get(f"/v1/videos/{ids[0]}").json()["url"]
    assert httpx.get(again).content == CONTENT
    owner.delete(f"/v1/videos/{ids[0]}")
    assert httpx.get(again).status_code == 404
    assert as_key("b", Scope.READ).get(f"/v1/videos/{ids[1]}/content").status_code == 404


def test_an_old_url_has_expired(client: httpx.Client, video: str, connected: Servers) -> None:
    url = client.get(f"/v1/videos/{video}").json()["url"]
    key = urlsplit(url).path.removeprefix("/files/")
    old = SignedFile(key, "old.mp4", 1000)
    query: dict[str, str | int] = {
        "filename": "old.mp4",
        "expires": 1000,
        "signature": old.signature(download_secret(connected.redis)),
    }
    answer = client.get(f"/files/{key}", params=query)
    assert (answer.status_code, "has expired" in answer.json()["detail"]) == (403, True)


def test_a_setting_redirects_to_the_object_store(
    app_with: Callable[..., TestClient], video: str, connected: Servers
) -> None:
    client = app_with(content="redirect")
    answer = client.get(f"/v1/videos/{video}/content")
    endpoint = connected.settings.s3_endpoint_url
    assert answer.status_code == 307
    assert endpoint is not None and answer.headers["location"].startswith(endpoint)
    assert client.head(f"/v1/videos/{video}/content").status_code == 307
    tensors = client.get(f"/v1/videos/{video}/content?variant=safetensors")
    assert tensors.content == b"tensors expert-translation"  # they are in Redis
    shown = client.get(client.get(f"/v1/videos/{video}").json()["url"])
    assert (shown.status_code, shown.headers["location"].startswith(endpoint)) == (307, True)
    assert httpx.get(shown.headers["location"]).content == CONTENT


COMMANDS = {
    "curl": ["curl", "-sSf", "-H", "Authorization: Bearer {token}", "-o", "{file}", "{url}"],
    "wget": ["wget", "-q", "--header", "Authorization: Bearer {token}", "-O", "{file}", "{url}"],
    "urllib": [
        sys.executable,
        "-c",
        (
            "import sys, urllib.request as u; url, token, file = sys.argv[1:]; "
            "answer = u.urlopen(u.Request(url, headers={{'Authorization': 'Bearer ' + token}})); "
            "open(file, 'wb').write(answer.read())"
        ),
        *("{url}", "{token}", "{file}"),
    ],
    "requests": [
        sys.executable,
        "-c",
        (
            "import sys, requests; url, token, file = sys.argv[1:]; "
            "answer = requests.get(url, headers={{'Authorization': 'Bearer ' + token}}); answer.raise_for_status(); "
            "open(file, 'wb').write(answer.content)"
        ),
        *("{url}", "{token}", "{file}"),
    ],
}


@pytest.mark.parametrize("program", COMMANDS)
def test_programs_that_send_their_key_on_get_the_file(
    program: str, as_key: Callable[..., httpx.Client], finish: Finish, tmp_path: Path
) -> None:
    if shutil.which(COMMANDS[program][0]) is None:
        pytest.skip(f"there is no {program} on this machine")
    client = as_key("a")
    video_id = client.post("/v1/videos", json={"prompt": PROMPT}).json()["id"]
    finish(video_id)
    target = tmp_path / "video.mp4"
    words = {
        "token": client.headers["authorization"].removeprefix("Bearer "),
        "url": f"{client.base_url}/v1/videos/{video_id}/content".replace("//v1", "/v1"),
        "file": str(target),
    }
    subprocess.run([part.format(**words) for part in COMMANDS[program]], check=True, timeout=60)
    assert target.read_bytes() == CONTENT
    if program in ("curl", "wget"):  # they go on where a download broke off
        target.write_bytes(CONTENT[:5])
        flags = ["-C", "-"] if program == "curl" else ["-c"]
        again = [part.format(**words) for part in COMMANDS[program]]
        subprocess.run([again[0], *flags, *again[1:]], check=True, timeout=60)
        assert target.read_bytes() == CONTENT


def test_a_public_url_is_where_files_are(
    app_with: Callable[..., TestClient], client: httpx.Client, video: str
) -> None:
    shown = app_with(public_url="https://example.com/cascade/").get(f"/v1/videos/{video}").json()
    assert shown["url"].startswith(f"https://example.com/cascade/files/jobs/{video}/")
    # Without one it is where the request came to: what a client on another machine has reached.
    elsewhere = client.get(f"/v1/videos/{video}", headers={"Host": "gateway.localhost:81"}).json()
    assert elsewhere["url"].startswith("http://gateway.localhost:81/files/")


def test_an_empty_file_has_no_ranges() -> None:
    assert parse_ranges("bytes=0-", 0) == ()
    assert parse_ranges("bytes=1-2", 3) == (ByteRange(1, 2),)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("trusted_proxies", "10.0.0.1/8"),
        ("trusted_proxies", "proxy,127.0.0.1"),
        ("public_url", "example.com"),
        ("root_path", "cascade"),
        ("cors_origins", "example.com"),
        ("content", "s3"),
    ],
)
def test_a_wrong_setting_is_refused(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=name):
        Settings.model_validate({name: value})


@pytest.mark.parametrize("command", ["gateway", "up"])
def test_a_stack_whose_files_nobody_could_fetch_names_the_setting_at_start(
    command: str, cascade: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    settings = {"CASCADE_CONTENT": "redirect", "CASCADE_HOST": "0.0.0.0", "CASCADE_DATA_DIR": str(tmp_path)}
    if command == "gateway":
        settings["CASCADE_S3_ENDPOINT_URL"] = "http://127.0.0.1:9000"
    refused = cascade(command, **settings)
    assert refused.returncode != 0
    assert "CASCADE_S3_PUBLIC_ENDPOINT_URL" in refused.stdout + refused.stderr
    assert "Traceback" not in refused.stderr


def test_files_that_can_be_fetched_are_no_fault() -> None:
    aws, local = None, "http://127.0.0.1:9000"
    open_to_all = {"host": "0.0.0.0"}
    check_downloads(Settings.model_validate(open_to_all), local)
    check_downloads(Settings.model_validate({"content": "redirect"}), local)
    check_downloads(Settings.model_validate(open_to_all | {"content": "redirect"}), aws)
    public = {"content": "redirect", "s3_public_endpoint_url": "https://files.example.com"}
    check_downloads(Settings.model_validate(open_to_all | public), local)
