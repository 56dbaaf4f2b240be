"""The operator's page, in a real browser against the running stack."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.end_to_end.browsing import Pages, fail, screenshot
from tests.end_to_end.conftest import ENDLESS, FEW_STEPS, PROMPT, Up

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_operators_see_stages_workers_and_videos_and_replay_failed_ones(pages: Pages, up: Up) -> None:
    video_id = up.post(steps=FEW_STEPS | {"super-resolution": ENDLESS})
    waiting_id = up.post(steps=FEW_STEPS | {"super-resolution": ENDLESS})
    up.running(video_id, "super-resolution")
    up.wait_until(lambda: up.stage(waiting_id, "super-resolution")["status"] == "queued")
    page = pages.open("/ops")
    tile = page.locator('[data-queue="shapes.super-resolution"]')
    expect(tile).to_contain_text("1 of 1 workers busy")
    expect(tile.locator("dl")).to_contain_text(
        re.compile(r"waiting\s*1\s*running\s*1\s*done in an hour\s*\d+")
    )
    keyframes = page.locator('[data-queue="shapes.keyframes"] dl')
    expect(keyframes).to_contain_text(re.compile(r"done in an hour\s*([2-9]|\d\d)"))
    row = page.locator(f'#videos tr:has([data-video="{video_id}"])')
    expect(row.locator("a")).to_have_text(PROMPT)
    expect(row.locator("code")).to_have_text(video_id.removeprefix("video_")[:8])
    expect(row.locator("progress")).to_have_count(4)
    expect(row.locator(".stages")).to_contain_text("Super-resolution: step")
    worker = page.locator("#workers tr", has_text="shapes.super-resolution")
    expect(worker).to_contain_text(PROMPT)
    expect(worker).to_contain_text(re.compile(r"Super-resolution · step \d+ of \d+ · for"))
    up.cancel(waiting_id)
    fail(up, video_id, "no memory")
    expect(page.locator("#letters")).to_contain_text("no memory")
    screenshot(page, "operations")
    page.get_by_role("button", name="Replay").click()
    expect(page.locator("#letters")).to_contain_text("No failed videos")
    up.running(video_id, "super-resolution")
    row.locator("a").click()
    expect(page.locator(f'.card.large[data-id="{video_id}"]')).to_be_focused()
