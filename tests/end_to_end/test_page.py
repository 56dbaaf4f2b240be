"""The web pages, driven in a real browser against the running stack.

With CASCADE_SCREENSHOTS set to a folder, pictures of the pages are saved there.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import av
import httpx
import pytest
from playwright.sync_api import Browser, Locator, Page, Request, Route, expect, sync_playwright
from pydantic import SecretStr

from cascade.service.stack.embedded import Credentials
from cascade.workers.job_queue import JobQueue
from cascade.workers.jobs import transitions
from cascade.workers.jobs.record import Failure
from cascade.workers.servers import Servers
from cascade.workers.settings import Settings
from tests.end_to_end.conftest import ANSWER_S, ENDLESS, FEW_STEPS, SMALL, Up

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

PROMPT = "a red circle moving right on a gray background"
LONG_MS = 150_000
expect.set_options(timeout=30_000)
QUIET = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("there is no Chromium on this machine: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(QUIET))
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, up: Up) -> Iterator[Page]:
    """A page that must end without a word on its console."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(up.url)
    expect(page.locator("[name=model]")).to_have_value("shapes")
    yield page
    page.close()
    assert [fault for fault in faults if "status of 422" not in fault] == []


@pytest.fixture(autouse=True)
def nothing_left_behind(up: Up) -> Iterator[None]:
    """A video that a test leaves under way would slow the next one down."""
    yield
    for video in httpx.get(f"{up.url}/v1/videos", timeout=ANSWER_S).json()["data"]:
        httpx.delete(f"{up.url}/v1/videos/{video['id']}", timeout=ANSWER_S)


def screenshot(page: Page, name: str) -> None:
    folder = os.environ.get("CASCADE_SCREENSHOTS")
    if folder:
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def ask(
    page: Page, prompt: str = PROMPT, super_resolution_steps: int = 1, size: str = SMALL, **fields: str
) -> str:
    """Fill in the form and submit it; the id of the new video."""
    page.fill("#prompt", prompt)
    page.select_option("[name=size]", size)
    page.locator("summary").evaluate("summary => summary.parentElement.open = true")
    steps = {"keyframes": 3, "interpolation": 2, "expert-translation": 2}
    for stage, number in (steps | {"super-resolution": super_resolution_steps}).items():
        page.fill(f'[name="steps.{stage}"]', str(number))
    for name, value in fields.items():
        field = page.locator(f'#composer [name="{name}"]')
        field.select_option(value) if name == "stop_after" else field.fill(value)
    with page.expect_response(lambda r: r.url.endswith("/v1/videos") and r.request.method == "POST") as sent:
        page.click("text=Make video")
    video_id: str = sent.value.json()["id"]
    return video_id


def card(page: Page, video_id: str) -> Locator:
    return page.locator(f'.card[data-id="{video_id}"]')


def test_a_prompt_fills_all_four_panes_and_downloads(page: Page, up: Up, tmp_path: Path) -> None:
    page.click(".chip >> nth=0")
    expect(page.locator("#prompt")).to_have_value(PROMPT)
    video_id = ask(page, size="256x160")
    panes = card(page, video_id).locator(".pane")
    expect(panes.locator("strong")).to_have_text(
        ["Keyframes", "Interpolation", "Super-resolution", "Expert translation"]
    )
    expect(panes.nth(3).locator("progress")).to_be_visible()
    expect(panes.nth(0).locator("video")).to_be_visible(timeout=LONG_MS)
    screenshot(page, "under-way")
    for index in range(4):
        expect(panes.nth(index).locator("video")).to_be_visible(timeout=LONG_MS)
    for index in range(4):
        clip = panes.nth(index).locator("video")
        up.wait_until(partial(clip.evaluate, "clip => clip.currentTime > 0.2"))
        assert clip.evaluate("clip => clip.loop")
    assert panes.nth(3).locator("video").evaluate("clip => clip.controls")
    screenshot(page, "completed")
    address = card(page, video_id).locator("text=Download").get_attribute("href")
    assert address is not None
    (tmp_path / "video.mp4").write_bytes(page.request.get(address).body())
    with av.open(tmp_path / "video.mp4") as container:
        assert sum(1 for _ in container.decode(video=0)) == 29

    card(page, video_id).locator("text=Compare").click()
    for side in ("left", "right"):
        clip = page.locator(f"#clip-{side}")
        up.wait_until(partial(clip.evaluate, "clip => clip.readyState >= 2"))
    page.locator("#slider").fill("25")
    assert page.locator("#clip-left").evaluate("clip => clip.style.clipPath") == "inset(0px 75% 0px 0px)"
    screenshot(page, "compare")
    page.select_option("#compare-right", "interpolation")
    expect(page.locator("#clip-right")).to_have_attribute("src", re.compile(f"{video_id}/interpolation/"))
    page.click("text=Close")


def test_the_keyboard_is_enough(page: Page, up: Up) -> None:
    with up.hold("super-resolution"):
        page.focus("#prompt")
        page.keyboard.type("a blue square")
        for _ in range(20):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.textContent") == "Make video":
                break
        page.keyboard.press("Enter")
        expect(page.locator(".card h3").first).to_have_text("a blue square")
        first = page.locator(".card").first
        cancel = first.get_by_role("button", name="Cancel")
        cancel.focus()
        expect(first.locator('[data-stage="interpolation"] video')).to_be_visible(timeout=LONG_MS)
        expect(cancel).to_be_focused()
        page.keyboard.press("Enter")
        expect(first.locator(".status")).to_have_text("cancelled")
    expect(first.get_by_role("button", name="Retry")).to_be_visible()


def test_a_running_video_is_cancelled_retried_and_deleted(page: Page, up: Up) -> None:
    video_id = ask(page, prompt="a circle to cancel", super_resolution_steps=ENDLESS)
    one = card(page, video_id)
    for _ in range(2):
        expect(one.locator('[data-stage="super-resolution"] .state')).to_contain_text("step", timeout=LONG_MS)
        page.reload()
    one.get_by_role("button", name="Cancel").click()
    expect(one.locator(".status")).to_have_text("cancelled")
    expect(one.locator('[data-stage="interpolation"] video')).to_be_visible()
    with page.expect_response(lambda answer: answer.url.endswith("/remix")) as sent:
        one.get_by_role("button", name="Retry").click()
    again = card(page, sent.value.json()["id"])
    expect(again.locator('[data-stage="interpolation"] .state')).to_have_text("reused")
    again.get_by_role("button", name="Cancel").click()
    page.on("dialog", lambda dialog: dialog.accept())
    one.locator("text=Delete").click()
    expect(one).to_have_count(0)
    assert up.answer(f"/v1/videos/{video_id}") == 404


def test_a_stream_that_lags_does_not_undo_what_is_completed(page: Page, up: Up) -> None:
    """All events come at last, after the video was cancelled, and the answers to what they ask for never."""
    held: list[Route] = []
    page.route("**/events", lambda route: held.append(route))
    video_id = ask(page, prompt="a circle in a late stream", super_resolution_steps=ENDLESS)
    one = card(page, video_id)
    expect(one.locator('[data-stage="super-resolution"] .state')).to_contain_text("step", timeout=LONG_MS)
    one.get_by_role("button", name="Cancel").click()
    expect(one.locator(".status")).to_have_text("cancelled")
    looked_up: list[Request] = []
    page.on("request", lambda request: looked_up.append(request) if request.url.endswith(video_id) else None)
    page.route(f"**/v1/videos/{video_id}", lambda route: None)
    page.route("**/v1/videos?limit=*", lambda route: None)
    stream = held.pop()
    events = stream.fetch()
    changes = len(re.findall(r"^event: (?!stage.progress)", events.text(), re.MULTILINE))
    with page.expect_request(lambda _: len(looked_up) >= changes):
        stream.fulfill(response=events)
    with page.expect_request("**/remix") as sent:
        one.get_by_role("button", name="Retry").click()
    assert sent.value.post_data_json == {"from_stage": "super-resolution"}


def test_what_is_wrong_is_said_at_the_field(page: Page, up: Up) -> None:
    page.fill("#prompt", "   ")
    page.click("text=Make video")
    expect(page.locator("#composer-error")).to_contain_text("must not be empty")
    expect(page.locator("#prompt")).to_have_attribute("aria-invalid", "true")
    screenshot(page, "refused")
    page.fill("#prompt", "a red circle")
    page.fill("[name=seed]", "99999999999")
    page.click("text=Make video")
    expect(page.locator("#composer-error")).to_contain_text("4294967295")
    page.fill("[name=seed]", "")


def test_a_reload_loses_nothing(page: Page, up: Up) -> None:
    with up.hold("super-resolution"):
        video_id = ask(page, prompt="a circle that goes on", super_resolution_steps=4)
        page.fill("#prompt", "typed but not sent")
        page.reload()
        one = card(page, video_id)
        expect(one.locator("h3")).to_have_text("a circle that goes on")
        expect(page.locator("#prompt")).to_have_value("typed but not sent")
        expect(one.locator('[data-stage="interpolation"] video')).to_be_visible(timeout=LONG_MS)
        page.goto("about:blank")  # a browser notes a failed request as an error on the console
        page.goto(up.url)
        expect(one.locator('[data-stage="interpolation"] video')).to_be_visible()
    expect(one.locator('[data-stage="expert-translation"] video')).to_be_visible(timeout=LONG_MS)


def test_the_page_goes_on_when_the_gateway_is_back(browser: Browser, up: Up) -> None:
    page = browser.new_page()
    page.goto(up.url)
    with up.hold("super-resolution"):
        video_id = ask(page)
        os.kill(
            up.process.pid, signal.SIGSTOP
        )  # else the gateway may be back before the page asks it anything
        try:
            os.kill(up.pid_of("cascade gateway"), signal.SIGKILL)
            expect(page.locator("#banner")).to_contain_text("cannot be reached", timeout=LONG_MS)
        finally:
            os.kill(up.process.pid, signal.SIGCONT)
        expect(page.locator("#banner")).to_be_hidden(timeout=LONG_MS)
    last = card(page, video_id).locator('[data-stage="expert-translation"] video')
    expect(last).to_be_visible(timeout=LONG_MS)
    page.close()


def test_one_of_several_drafts_is_chosen_to_go_on(page: Page, up: Up) -> None:
    video_id = ask(page, best_of="3", stop_after="keyframes")
    one = card(page, video_id)
    expect(one.locator(".draft video")).to_have_count(3, timeout=LONG_MS)
    expect(one.locator(".status")).to_have_text("draft")
    screenshot(page, "drafts")
    chosen = next(i for i, draft in enumerate(up.get(video_id)["drafts"]) if not draft["chosen"])
    one.locator(".draft input").nth(chosen).check()
    one.locator("text=Continue").click()
    last = one.locator('[data-stage="expert-translation"] video')
    expect(last).to_be_visible(timeout=LONG_MS)
    assert up.get(video_id)["drafts"][chosen]["chosen"]


def test_videos_are_filtered_searched_and_remixed(page: Page, up: Up) -> None:
    finished = up.finished(up.post())["id"]
    page.reload()
    page.click("[data-filter=completed]")
    expect(card(page, finished)).to_be_visible()
    page.fill("#search", "no such words")
    expect(page.locator("#empty")).to_be_visible()
    page.fill("#search", "")
    page.click("[data-filter=failed]")
    expect(card(page, finished)).to_be_hidden()
    page.click("[data-filter=all]")
    card(page, finished).locator("text=Remix").click()
    form = card(page, finished).locator("form.remix")
    form.locator("[name=prompt]").fill("a green square")
    form.locator("[name=from_stage]").select_option("expert-translation")
    form.locator("text=Make remix").click()
    remix = page.locator(".card", has_text="a green square").first
    expect(remix.locator('[data-stage="super-resolution"] .state')).to_have_text("reused")
    expect(remix.locator(".status")).to_have_text("completed", timeout=LONG_MS)


def test_a_phone_shows_all_without_scrolling_sideways(browser: Browser, up: Up) -> None:
    up.finished(up.post())
    for scheme in ("light", "dark"):
        page = browser.new_page(viewport={"width": 390, "height": 844}, color_scheme=scheme, has_touch=True)
        page.goto(up.url)
        expect(page.locator(".card").first).to_be_visible()
        expect(page.locator(".pane video").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        screenshot(page, f"phone-{scheme}")
        page.close()


def test_operators_see_the_queues_and_replay_dead_letters(browser: Browser, up: Up) -> None:
    video_id = up.post(steps=FEW_STEPS | {"super-resolution": ENDLESS})
    up.running(video_id, "super-resolution")
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(f"{up.url}/ops")
    expect(page.locator('[data-queue="shapes.super-resolution"]')).to_contain_text("1 of 1 workers busy")
    expect(page.locator("#videos")).to_contain_text(video_id)
    expect(page.locator("#videos")).to_contain_text("done in")
    servers = servers_of(up)
    queue = JobQueue.of(servers)
    failure = Failure("retries_exhausted", "no memory", "super-resolution")
    queue.jobs.update(video_id, lambda job: transitions.fail(job, failure, time.time()))
    servers.redis.close()
    expect(page.locator("#letters")).to_contain_text("no memory")
    screenshot(page, "operations")
    page.click("text=Replay")
    expect(page.locator("#letters")).to_contain_text("No failed videos")
    up.running(video_id, "super-resolution")
    page.close()


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


def test_the_documentation_works_under_its_policy(page: Page, up: Up) -> None:
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto(f"{up.url}/docs")
    expect(page.get_by_text("/v1/videos/{video_id}/remix")).to_be_visible()
    assert [url for url in requests if not url.startswith((up.url, "data:"))] == []
