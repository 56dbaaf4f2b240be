"""A real browser on the page of the running stack, and what tests do there.

With CASCADE_SCREENSHOTS set to a folder, pictures of the pages are saved there.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright
from pydantic import SecretStr

from cascade.service.stack.embedded import Credentials
from cascade.workers.job_queue import JobQueue
from cascade.workers.jobs import transitions
from cascade.workers.jobs.record import Failure
from cascade.workers.servers import Servers
from cascade.workers.settings import Settings
from tests.end_to_end.conftest import PROMPT, SMALL, Up

LONG_MS = 150_000
QUIET = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)
expect.set_options(timeout=30_000)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run Chromium; the test is skipped where there is none."""
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("there is no Chromium on this machine: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(QUIET))
        yield browser
        browser.close()


class Pages:
    """Opens pages, which must end without a word on their consoles."""

    def __init__(self, browser: Browser, up: Up) -> None:
        self.browser, self.up = browser, up
        self.opened: list[Page] = []
        self.faults: list[str] = []

    def open(self, path: str = "/", width: int = 1280, height: int = 900, **options: Any) -> Page:
        """Open a page of the gateway; `options` are those of a Playwright page."""
        page = self.browser.new_page(viewport={"width": width, "height": height}, **options)
        page.on("console", lambda said: self.faults.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.opened.append(page)
        page.goto(self.up.url + path)
        if path.startswith("/#") or path == "/":
            expect(page.locator("#composer [name=model]")).to_have_value("shapes")
        return page

    def close(self, *expected: str) -> None:
        """Close all pages; what is `expected` may have been on a console.

        Raises:
            AssertionError: something else was.
        """
        for page in self.opened:
            page.close()
        assert [fault for fault in self.faults if not any(part in fault for part in expected)] == []


def screenshot(page: Page, name: str) -> None:
    """Keep a picture of a page, if somebody wants pictures."""
    folder = os.environ.get("CASCADE_SCREENSHOTS")
    if folder:
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def ask(
    page: Page, prompt: str = PROMPT, super_resolution_steps: int = 1, size: str = SMALL, **fields: str
) -> str:
    """Fill in the form and submit it; the id of the new video."""
    form = page.locator("#composer")
    form.locator("#options").evaluate("details => details.open = true")
    page.fill("#prompt", prompt)
    form.locator("[name=size]").select_option(size)
    steps = {"keyframes": 3, "interpolation": 2, "expert-translation": 2}
    for stage, number in (steps | {"super-resolution": super_resolution_steps}).items():
        form.locator(f'[name="steps.{stage}"]').fill(str(number))
    for name, value in fields.items():
        field = form.locator(f'[name="{name}"]')
        field.select_option(value) if name == "stop_after" else field.fill(value)
    with page.expect_response(lambda r: r.url.endswith("/v1/videos") and r.request.method == "POST") as sent:
        page.click("text=Make video")
    video_id: str = sent.value.json()["id"]
    return video_id


def card(page: Page, video_id: str) -> Locator:
    """Find the card of a video."""
    return page.locator(f'.card[data-id="{video_id}"]')


def pane(one: Locator, stage: str) -> Locator:
    """Find a stage of a card in its strip."""
    return one.locator(f'.pane[data-stage="{stage}"]')


def fail(up: Up, video_id: str, message: str) -> None:
    """Let a video fail for good, as after its last attempt."""
    servers = servers_of(up)
    queue = JobQueue.of(servers)
    failure = Failure("retries_exhausted", message, "super-resolution")
    queue.jobs.update(video_id, lambda job: transitions.fail(job, failure, time.time()))
    servers.redis.close()


def servers_of(up: Up) -> Servers:
    """The servers of the stack, as its workers see them."""
    servers = Credentials(**json.loads((up.data_dir / "embedded.json").read_text()))
    settings = Settings(
        redis_url=SecretStr(servers.redis_url),
        s3_endpoint_url=servers.s3_endpoint_url,
        s3_access_key=SecretStr(servers.s3_access_key),
        s3_secret_key=SecretStr(servers.s3_secret_key),
    )
    return Servers.connect(settings)
