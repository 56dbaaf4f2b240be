"""Webhooks, delivered to a real server: signatures, retries, and targets that may not be called."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address

import openai
import pytest
import trustme
from standardwebhooks import Webhook, WebhookVerificationError

from cascade.workers.job_queue import Conveyor
from cascade.workers.jobs.record import Failure, JobRequest, cancel, fail
from cascade.workers.settings import Settings
from cascade.workers.webhooks.safe_http import TargetRefused, check_url, is_public, post


@dataclass
class Target:
    """A web server that keeps what it is sent, and answers with the given codes, the last one for ever."""

    codes: list[int] = field(default_factory=lambda: [200])
    location: str | None = None
    received: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""

    def answer(self) -> int:
        return self.codes.pop(0) if len(self.codes) > 1 else self.codes[0]


@pytest.fixture
def start_target() -> Iterator[Callable[..., Target]]:
    servers = []

    def start(*codes: int, location: str | None = None) -> Target:
        target = Target(list(codes or (200,)), location)

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                target.received.append(({k.lower(): v for k, v in self.headers.items()}, body))
                self.send_response(target.answer())
                if target.location:
                    self.send_header("location", target.location)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        target.url = f"http://127.0.0.1:{server.server_port}/hook"
        return target

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def settings(settings: Settings) -> Settings:
    changes = {"webhook_private_targets": True, "webhook_backoff_s": 0.0, "webhook_timeout_s": 1.0}
    return settings.model_copy(update=changes)


def ended_job(conveyor: Conveyor, url: str) -> str:
    request = JobRequest("shapes", "a red circle", 7, webhook_url=url, metadata={"order": "42"})
    job = conveyor.submit(request, "engines")
    conveyor.jobs.update(job.id, partial(cancel, now=time.time()))
    return job.id


def deliver_all(conveyor: Conveyor) -> None:
    while conveyor.webhooks.deliver_next():
        pass


def test_the_end_of_a_video_is_told_once_and_signed(
    conveyor: Conveyor, start_target: Callable[..., Target]
) -> None:
    target = start_target()
    job_id = ended_job(conveyor, target.url)
    deliver_all(conveyor)
    ((headers, body),) = target.received
    secret = conveyor.webhooks.secret("engines")
    message = Webhook(secret).verify(body, headers)
    assert (message["type"], message["data"]["id"]) == ("video.cancelled", job_id)
    assert message["data"]["metadata"] == {"order": "42"}
    assert b"red circle" not in body
    with pytest.raises(WebhookVerificationError):
        Webhook(conveyor.webhooks.secret("others")).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body.replace(b"42", b"43"), headers)
    (delivery,) = conveyor.webhooks.log(job_id)
    assert (delivery.status_code, delivery.attempt, delivery.taken) == (200, 1, True)


def test_openais_sdk_unwraps_what_is_sent(conveyor: Conveyor, start_target: Callable[..., Target]) -> None:
    target = start_target()
    ended_job(conveyor, target.url)
    deliver_all(conveyor)
    ((headers, body),) = target.received
    client = openai.OpenAI(api_key="unused", webhook_secret=conveyor.webhooks.secret("engines"))
    assert client.webhooks.unwrap(body, headers).type == "video.cancelled"


def test_a_failure_is_told_with_its_reason(conveyor: Conveyor, start_target: Callable[..., Target]) -> None:
    target = start_target()
    job = conveyor.submit(JobRequest("shapes", "a red circle", 7, webhook_url=target.url))
    conveyor.jobs.update(job.id, lambda job: fail(job, Failure("stage_failed", "no memory"), time.time()))
    deliver_all(conveyor)
    message = Webhook(conveyor.webhooks.secret("default")).verify(*reversed(target.received[0]))
    assert message["data"]["error"] == {"code": "stage_failed", "message": "no memory"}


def test_it_is_tried_again_with_the_same_id_until_it_is_taken(
    conveyor: Conveyor, start_target: Callable[..., Target]
) -> None:
    target = start_target(500, 302, 204, location="/elsewhere")
    job_id = ended_job(conveyor, target.url)
    deliver_all(conveyor)
    assert [delivery.status_code for delivery in conveyor.webhooks.log(job_id)] == [500, 302, 204]
    assert len({headers["webhook-id"] for headers, _ in target.received}) == 1


def test_waits_double_between_the_tries(conveyor: Conveyor, start_target: Callable[..., Target]) -> None:
    slow = conveyor.settings.model_copy(update={"webhook_backoff_s": 60.0})
    conveyor = replace(conveyor, webhooks=type(conveyor.webhooks)(conveyor.redis, conveyor.jobs, slow))
    job_id = ended_job(conveyor, start_target(500).url)
    for wait_s in (60, 120, 240):
        assert conveyor.webhooks.deliver_next()
        assert not conveyor.webhooks.deliver_next()
        due = conveyor.redis.zscore("cascade:webhooks", job_id)
        assert wait_s - 5 < due - time.time() <= wait_s
        conveyor.redis.zadd("cascade:webhooks", {job_id: 0})


@pytest.mark.parametrize(("codes", "tries"), [((500,), 8), ((410,), 1)])
def test_it_is_given_up_after_the_last_try_or_where_it_is_unwanted(
    codes: tuple[int, ...], tries: int, conveyor: Conveyor, start_target: Callable[..., Target]
) -> None:
    target = start_target(*codes)
    ended_job(conveyor, target.url)
    deliver_all(conveyor)
    assert len(target.received) == tries
    assert conveyor.redis.zcard("cascade:webhooks") == 0


def test_a_target_that_is_not_there_is_on_the_log(conveyor: Conveyor) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/"
        job_id = ended_job(conveyor, url)
        conveyor.webhooks.deliver_next()
    assert "ConnectError" in conveyor.webhooks.log(job_id)[0].error


def test_redirects_lead_nowhere(settings: Settings, start_target: Callable[..., Target]) -> None:
    inside = start_target()
    outside = start_target(307, location=inside.url)
    assert post(outside.url, "{}", {}, settings) == 307
    assert inside.received == []


def test_a_private_target_is_refused(settings: Settings, start_target: Callable[..., Target]) -> None:
    target = start_target()
    public_only = settings.model_copy(update={"webhook_private_targets": False})
    for url in (target.url, target.url.replace("127.0.0.1", "localhost"), f"http://{socket.gethostname()}/"):
        with pytest.raises(TargetRefused):
            post(url, "{}", {}, public_only)
    assert target.received == []


def test_a_name_that_resolves_differently_the_second_time_changes_nothing(
    settings: Settings, start_target: Callable[..., Target], monkeypatch: pytest.MonkeyPatch
) -> None:
    target = start_target()
    port = int(target.url.split(":")[2].split("/")[0])
    resolved: list[str] = []

    def rebinding(host: str, *_: object, **__: object) -> list[tuple]:
        """As a resolver: addresses are themselves; the name is public the first time, loopback later."""
        address = host
        if host == "rebinding.example":
            resolved.append(host)
            address = "8.8.8.8" if len(resolved) == 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    public_only = settings.model_copy(update={"webhook_private_targets": False, "webhook_timeout_s": 0.5})
    with pytest.raises(TargetRefused, match="Connect"):
        post(f"http://rebinding.example:{port}/", "{}", {}, public_only)
    assert (len(resolved), target.received) == (1, [])


def test_https_is_for_the_host_of_the_url_and_its_certificate_is_checked(settings: Settings) -> None:
    names: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("hooks.example").configure_cert(context)  # of an authority that no one trusts
    context.sni_callback = lambda _, name, __: names.append(name)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            with contextlib.suppress(ssl.SSLError, ConnectionError):
                context.wrap_socket(server.accept()[0], server_side=True)

        thread = threading.Thread(target=accept)
        thread.start()
        with pytest.raises(TargetRefused, match="certificate verify failed"):
            post(f"https://localhost:{server.getsockname()[1]}/", "{}", {}, settings)
        thread.join(5)
    assert names == ["localhost"]


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
        "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "ff02::1", "::ffff:127.0.0.1",
        "64:ff9b::7f00:1", "2002:7f00:1::",
    ],
)  # fmt: skip
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700:4700::1111", "64:ff9b::808:808"])
def test_addresses_that_are_public(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/", "file:///etc/passwd", "//example.com", "http://", "http://user:pw@example.com/",
        "http://localhost/", "http://localhost./", "http://127.0.0.1/", "http://2130706433/", "http://0x7f.1/",
        "http://[::1]/", "http://[::ffff:10.0.0.1]/", "http://example.com:0/", "http://example.com:99999/",
        "http://exa mple.com/", "http://example.com/\n", "http://" + "a" * 2100,
    ],
)  # fmt: skip
def test_urls_that_are_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError):
        check_url(url, private_targets=False)
