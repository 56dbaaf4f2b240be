"""What axe finds on the pages in each of their states, light and dark, on a desk and on a phone: nothing."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, ViewportSize, expect

from tests.end_to_end.browsing import LONG_MS, Pages, ask, card, fail, pane, screenshot
from tests.end_to_end.conftest import ENDLESS, FEW_STEPS, Up

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

DESK, PHONE = ViewportSize(width=1280, height=900), ViewportSize(width=390, height=844)
AXE = Axe()


def check(page: Page, state: str) -> None:
    """Let axe look at a state in light and dark, on a desk and on a phone, which must not scroll sideways."""
    for size, place in ((DESK, "desk"), (PHONE, "phone")):
        page.set_viewport_size(size)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            found = AXE.run(page).response["violations"]
            where = f"{state}, {scheme}, {place}"
            assert [
                (fault["id"], [(node["target"], node["failureSummary"]) for node in fault["nodes"]])
                for fault in found
            ] == [], where
            screenshot(page, where.replace(", ", "-").replace(" ", "-"))
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"], f"{state}, {place}"
    page.set_viewport_size(DESK)


def test_the_form(page: Page, up: Up) -> None:
    check(page, "empty")
    page.fill("#prompt", "a dog surfing on a wave")
    expect(page.locator("#doubts")).to_contain_text("dog")
    page.locator("#words summary").click()
    page.locator("#options summary").click()
    check(page, "typing")
    page.fill("[name=seed]", "99999999999")
    page.fill('[name="steps.keyframes"]', "101")
    page.fill("#prompt", "")
    page.click("text=Make video")
    check(page, "refused")
    page.click("#alerts-button")
    check(page, "alerts")
    page.keyboard.press("Escape")
    page.click("#key-button")
    check(page, "key")


def test_the_videos(page: Page, up: Up) -> None:
    with up.hold("interpolation"):
        with up.hold("keyframes"):
            first = card(page, ask(page, prompt="a red circle moving right"))
            second = card(page, ask(page, prompt="a blue square that waits"))
            expect(first).to_have_class("card line")
            check(page, "waiting")
            second.get_by_role("button", name="Cancel").click()
            expect(second).to_contain_text("cancelled")
        expect(pane(first, "keyframes").locator("video")).to_be_visible(timeout=LONG_MS)
        check(page, "running")
    expect(first.locator(".status")).to_have_text("completed", timeout=LONG_MS)
    check(page, "finished")
    first.get_by_role("button", name="Compare").click()
    check(page, "compare")
    page.keyboard.press("Escape")
    first.get_by_role("button", name="Remix").click()
    first.locator("form.remix summary").click()
    check(page, "remix")
    first.get_by_role("button", name="Close").click()
    drafts = card(page, ask(page, best_of="3", stop_after="keyframes"))
    expect(drafts.locator(".draft video")).to_have_count(3, timeout=LONG_MS)
    check(page, "drafts")
    page.fill("#search", "no such words")
    expect(page.locator("#empty")).to_be_visible()
    check(page, "nothing found")


def test_a_preview_and_a_failure(page: Page, up: Up) -> None:
    page.emulate_media(reduced_motion="reduce")
    with up.hold("interpolation"):
        page.locator("#options").evaluate("details => details.open = true")
        page.fill('[name="steps.keyframes"]', "100")
        page.fill("#prompt", "a circle out of noise")
        page.keyboard.press("Control+Enter")
        expect(page.locator(".card .preview canvas")).to_be_visible(timeout=LONG_MS)
        check(page, "preview")
    video_id = up.post(steps=FEW_STEPS | {"super-resolution": ENDLESS})
    up.running(video_id, "super-resolution")
    fail(up, video_id, "no memory")
    page.goto(f"{up.url}/#{video_id}")
    page.reload()
    expect(card(page, video_id)).to_have_class("card large")
    check(page, "failed")


def test_the_page_of_operators(pages: Pages, up: Up) -> None:
    page = pages.open("/ops")
    expect(page.locator("#videos")).to_contain_text("No videos under way.")
    check(page, "operations at rest")
    failed, running = (up.post(steps=FEW_STEPS | {"super-resolution": ENDLESS}) for _ in range(2))
    up.running(failed, "super-resolution")
    fail(up, failed, "no memory")
    up.running(running, "super-resolution")
    expect(page.locator("#letters")).to_contain_text("no memory")
    expect(page.locator("#videos progress").first).to_be_visible()
    check(page, "operations")


def test_the_documentation(pages: Pages, up: Up) -> None:
    page = pages.open("/docs")
    expect(page.get_by_text("/v1/videos/{video_id}/remix")).to_be_visible()
    check(page, "documentation")
