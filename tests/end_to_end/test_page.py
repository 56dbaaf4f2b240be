"""The page, driven in a real browser against the running stack: what becomes of a video there."""

from __future__ import annotations

import os
import re
import signal
from functools import partial
from pathlib import Path

import av
import pytest
from playwright.sync_api import Page, Request, Route, expect

from tests.end_to_end.browsing import LONG_MS, Pages, ask, card, fail, pane, screenshot
from tests.end_to_end.conftest import ENDLESS, FEW_STEPS, Up

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def test_a_finished_clip_is_large_with_its_stages_below_and_downloads(
    page: Page, up: Up, tmp_path: Path
) -> None:
    video_id = ask(page, size="256x160")
    one = card(page, video_id)
    expect(one.locator(".pane strong")).to_have_text(
        ["Keyframes", "Interpolation", "Super-resolution", "Expert translation"]
    )
    expect(one.locator(".status")).to_have_text("completed", timeout=LONG_MS)
    large = one.locator(".screen video")
    expect(large).to_have_attribute("src", re.compile(f"{video_id}/expert-translation/"))
    up.wait_until(partial(large.evaluate, "clip => clip.currentTime > 0.2"))
    assert large.evaluate("clip => clip.loop && clip.controls")
    strip = one.locator(".strip").bounding_box()
    screen = one.locator(".screen").bounding_box()
    assert strip and screen and strip["y"] >= screen["y"] + screen["height"]
    pane(one, "keyframes").get_by_role("button").click()
    expect(large).to_have_attribute("src", re.compile(f"{video_id}/keyframes/"))
    screenshot(page, "completed")
    address = one.locator("text=Download").get_attribute("href")
    assert address is not None
    (tmp_path / "video.mp4").write_bytes(page.request.get(address).body())
    with av.open(tmp_path / "video.mp4") as container:
        assert sum(1 for _ in container.decode(video=0)) == 29

    one.locator("text=Compare").click()
    for side in ("left", "right"):
        clip = page.locator(f"#clip-{side}")
        up.wait_until(partial(clip.evaluate, "clip => clip.readyState >= 2"))
    page.locator("#slider").fill("25")
    assert page.locator("#clip-left").evaluate("clip => clip.style.clipPath") == "inset(0px 75% 0px 0px)"
    page.select_option("#compare-right", "interpolation")
    expect(page.locator("#clip-right")).to_have_attribute("src", re.compile(f"{video_id}/interpolation/"))
    page.click("dialog >> text=Close")
    one.locator("text=Close").click()
    expect(one).to_have_class("card tile")


def test_the_clip_appears_from_the_noise(page: Page, up: Up) -> None:
    with up.hold("interpolation"):
        page.locator("#options").evaluate("details => details.open = true")
        page.fill('[name="steps.keyframes"]', "100")
        page.fill("#prompt", "a circle out of noise")
        page.keyboard.press("Control+Enter")
        preview = page.locator(".card .preview img")
        expect(preview).to_be_visible(timeout=LONG_MS)
        first = preview.get_attribute("src")
        assert first is not None and first.startswith("data:image/webp;base64,")
        assert preview.evaluate("picture => picture.naturalWidth > 0")
        screenshot(page, "under-way")
        expect(preview).not_to_have_attribute("src", first, timeout=LONG_MS)
        expect(page.locator(".card .screen video")).to_be_visible(timeout=LONG_MS)
        expect(preview).to_have_count(0)


def test_a_waiting_video_is_one_line_with_its_place(page: Page, up: Up) -> None:
    up.finished(up.post())  # a stage's time is known once it was measured
    with up.hold("keyframes"):
        up.post()
        up.post()
        last = card(page, ask(page, prompt="a circle that waits its turn"))
        expect(last).to_have_class("card line")
        expect(last.locator(".facts")).to_contain_text(re.compile(r"place [23] in the queue"))
        expect(last.locator(".facts")).to_contain_text(re.compile(r"(about \d+|a few) (s|min|seconds) left"))
        box = last.bounding_box()
        assert box and box["height"] < 70
        expect(page).to_have_title(re.compile(r"^3 videos \d+ % · Cascade"))
        screenshot(page, "waiting")
    expect(page.locator(".card.line")).to_have_count(0, timeout=LONG_MS)


def test_the_tab_tells_progress_and_a_notification_comes_when_asked(page: Page, up: Up) -> None:
    page.evaluate(
        """() => {
            window.told = [];
            window.Notification = class { constructor(title, { body }) { told.push(`${title}: ${body}`); } };
            window.Notification.requestPermission = async () => "granted";
            document.hasFocus = () => false;
        }"""
    )
    page.click("#alerts-button")
    page.get_by_label("Show a notification").check()
    page.get_by_label("Play a sound").check()
    page.keyboard.press("Escape")
    icon = page.locator("link[rel=icon]")
    with up.hold("super-resolution"):
        ask(page, prompt="a circle to tell of")
        expect(page).to_have_title(re.compile(r"^\d+ % · Cascade$"))
        expect(icon).to_have_attribute("href", re.compile("^data:image/png"))
    expect(page.locator(".card .status")).to_have_text("completed", timeout=LONG_MS)
    assert page.evaluate("told") == ["Video completed: a circle to tell of"]
    expect(page).to_have_title("Cascade")
    expect(icon).to_have_attribute("href", re.compile(r"web/icon\.svg$"))


def test_the_keyboard_is_enough(page: Page, up: Up) -> None:
    with up.hold("super-resolution"):
        expect(page.locator("#prompt")).to_be_focused()
        page.keyboard.type("a blue square")
        page.keyboard.press("Control+Enter")
        first = page.locator(".card").first
        expect(first.locator("h3")).to_have_text("a blue square")
        cancel = first.get_by_role("button", name="Cancel")
        expect(first).to_have_class("card large", timeout=LONG_MS)
        cancel.focus()
        expect(pane(first, "interpolation").locator("video")).to_be_visible(timeout=LONG_MS)
        expect(cancel).to_be_focused()
        page.keyboard.press("Enter")
        expect(first.locator(".status")).to_have_text("cancelled")
    expect(first.get_by_role("button", name="Retry")).to_be_visible()


def test_a_running_video_is_cancelled_retried_and_deleted(page: Page, up: Up) -> None:
    video_id = ask(page, prompt="a circle to cancel", super_resolution_steps=ENDLESS)
    one = card(page, video_id)
    for _ in range(2):
        expect(pane(one, "super-resolution").locator(".state")).to_contain_text("step", timeout=LONG_MS)
        page.reload()
    one.get_by_role("button", name="Cancel").click()
    expect(one.locator(".status")).to_have_text("cancelled")
    expect(pane(one, "interpolation").locator("video")).to_be_visible()
    with page.expect_response(lambda answer: answer.url.endswith("/remix")) as sent:
        one.get_by_role("button", name="Retry").click()
    again = card(page, sent.value.json()["id"])
    expect(pane(again, "interpolation").locator(".state")).to_have_text("reused", timeout=LONG_MS)
    again.get_by_role("button", name="Cancel").click()
    page.on("dialog", lambda dialog: dialog.accept())
    one.get_by_role("button", name="Delete").click()
    expect(one).to_have_count(0)
    assert up.answer(f"/v1/videos/{video_id}") == 404


def test_a_stream_that_lags_does_not_undo_what_is_completed(page: Page, up: Up) -> None:
    """All events come at last, after the video was cancelled, and the answers to what they ask for never."""
    held: list[Route] = []
    page.route("**/events", lambda route: held.append(route))
    video_id = ask(page, prompt="a circle in a late stream", super_resolution_steps=ENDLESS)
    one = card(page, video_id)
    expect(pane(one, "super-resolution").locator(".state")).to_contain_text("step", timeout=LONG_MS)
    one.get_by_role("button", name="Cancel").click()
    expect(one.locator(".status")).to_have_text("cancelled")
    looked_up: list[Request] = []
    page.on("request", lambda request: looked_up.append(request) if request.url.endswith(video_id) else None)
    page.route(f"**/v1/videos/{video_id}", lambda route: None)
    page.route("**/v1/videos?limit=*", lambda route: None)
    stream = held.pop()
    events = stream.fetch()
    changes = len(re.findall(r"^event: (?!stage.progress|preview)", events.text(), re.MULTILINE))
    with page.expect_request(lambda _: len(looked_up) >= changes):
        stream.fulfill(response=events)
    with page.expect_request("**/remix") as sent:
        one.get_by_role("button", name="Retry").click()
    assert sent.value.post_data_json == {"from_stage": "super-resolution"}


def test_a_stream_that_is_refused_for_now_is_asked_for_again(page: Page, up: Up, pages: Pages) -> None:
    refused: list[Route] = []

    def refuse_once(route: Route) -> None:
        if refused:
            return route.continue_()
        refused.append(route)
        problem = {"detail": "too many", "error": {"code": "too_many_streams"}}
        return route.fulfill(status=429, headers={"Retry-After": "1"}, json=problem)

    page.route("**/events", refuse_once)
    page.route("**/v1/videos?limit=*", lambda route: None)  # only events tell
    video_id = ask(page)
    expect(card(page, video_id).locator(".status")).to_have_text("completed", timeout=LONG_MS)
    assert refused
    pages.faults = [fault for fault in pages.faults if "status of 429" not in fault]


def test_a_reload_loses_nothing(page: Page, up: Up) -> None:
    with up.hold("super-resolution"):
        video_id = ask(page, prompt="a circle that goes on", super_resolution_steps=4)
        page.fill("#prompt", "typed but not sent")
        page.reload()
        one = card(page, video_id)
        expect(one.locator("h3")).to_have_text("a circle that goes on")
        expect(page.locator("#prompt")).to_have_value("typed but not sent")
        expect(pane(one, "interpolation").locator("video")).to_be_visible(timeout=LONG_MS)
        page.goto("about:blank")  # a browser notes a failed request as an error on the console
        page.goto(up.url)
        expect(pane(one, "interpolation").locator("video")).to_be_visible()
    expect(pane(one, "expert-translation").locator("video")).to_be_visible(timeout=LONG_MS)


def test_the_page_goes_on_when_the_gateway_is_back(page: Page, up: Up, pages: Pages) -> None:
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
    last = pane(card(page, video_id), "expert-translation").locator("video")
    expect(last).to_be_visible(timeout=LONG_MS)
    pages.faults.clear()


def test_one_of_several_drafts_is_chosen_to_go_on(page: Page, up: Up) -> None:
    video_id = ask(page, best_of="3", stop_after="keyframes")
    one = card(page, video_id)
    expect(one.locator(".draft video")).to_have_count(3, timeout=LONG_MS)
    expect(one.locator(".status")).to_have_text("draft")
    expect(one.locator(".drafts")).to_contain_text("how well a draft fits the prompt")
    expect(one.locator(".drafts")).to_contain_text("Nothing more is made until you press Continue.")
    screenshot(page, "drafts")
    drafts = up.get(video_id)["drafts"]
    best = max(range(3), key=lambda index: drafts[index]["score"])
    expect(one.locator(".draft").nth(best)).to_contain_text("best")
    chosen = next(i for i, draft in enumerate(drafts) if not draft["chosen"])
    one.locator(".draft input").nth(chosen).check()
    one.get_by_role("button", name="Continue").click()
    last = pane(one, "expert-translation").locator("video")
    expect(last).to_be_visible(timeout=LONG_MS)
    assert up.get(video_id)["drafts"][chosen]["chosen"]


def test_a_remix_has_other_words_steps_and_a_fresh_seed(page: Page, up: Up) -> None:
    source = up.finished(up.post())
    page.reload()
    one = card(page, source["id"])
    one.get_by_role("button", name="Remix").click()
    form = one.locator("form.remix")
    form.locator("[name=prompt]").fill("a green square")
    form.locator("[name=from_stage]").select_option("expert-translation")
    form.locator("summary").click()
    expect(form.locator('[name="steps.keyframes"]')).to_be_hidden()
    form.locator('[name="steps.expert-translation"]').fill("101")
    form.get_by_text("Make remix").click()
    expect(form).to_contain_text("A whole number from 1 to 100, please.")
    form.locator('[name="steps.expert-translation"]').fill("3")
    form.locator('[name="guidance_scale.expert-translation"]').fill("1.5")
    screenshot(page, "remix")
    with page.expect_response(lambda answer: answer.url.endswith("/remix")) as sent:
        form.get_by_text("Make remix").click()
    body = sent.value.request.post_data_json or {}
    assert body["steps"] == {"expert-translation": 3}
    assert body["guidance_scale"] == {"expert-translation": 1.5}
    assert body["seed"] != source["seed"]
    remix = card(page, sent.value.json()["id"])
    expect(remix.locator(".status")).to_have_text("completed", timeout=LONG_MS)
    expect(pane(remix, "super-resolution").locator(".state")).to_have_text("reused")

    one.get_by_role("button", name="Remix").click()
    form.get_by_text(f"Keep seed {source['seed']}").click()
    with page.expect_request("**/remix") as kept:
        form.get_by_text("Make remix").click()
    assert (kept.value.post_data_json or {})["seed"] == source["seed"]


def test_the_gateway_searches_and_filters_all_videos_by_pages(page: Page, up: Up) -> None:
    old = up.finished(up.post(prompt="a needle among circles"))["id"]
    with up.hold("keyframes"):
        newer = [up.post() for _ in range(13)]
        page.reload()
        expect(page.locator(".card")).to_have_count(12)
        expect(card(page, old)).to_have_count(0)
        page.click("text=Completed")
        expect(page.locator(".card")).to_have_count(1)
        expect(card(page, old)).to_be_visible()
        page.click(".filters >> text=All")
        page.fill("#search", "NEEDLE")
        expect(page.locator(".card")).to_have_count(1)
        expect(card(page, old)).to_be_visible()
        page.fill("#search", "no such words")
        expect(page.locator("#empty")).to_have_text("No video fits this search.")
        page.fill("#search", "")
        expect(page.locator(".card")).to_have_count(12)
        page.click("text=Load more")
        expect(page.locator(".card")).to_have_count(14)
        expect(page.locator("#more")).to_be_hidden()
        page.click("text=Under way")
        expect(card(page, old)).to_have_count(0)
        for video_id in newer:
            up.cancel(video_id)
    expect(page.locator(".card")).to_have_count(0)


def test_a_link_opens_its_video_and_says_why_it_failed(pages: Pages, up: Up) -> None:
    video_id = up.post(steps=FEW_STEPS | {"super-resolution": ENDLESS})
    up.running(video_id, "super-resolution")
    fail(up, video_id, "no memory")
    page = pages.open(f"/#{video_id}")
    one = card(page, video_id)
    expect(one).to_have_class("card large")
    expect(one.locator(".error").first).to_contain_text("no memory. The stage failed several times.")


def test_a_preset_may_have_any_number_of_stages(pages: Pages, up: Up) -> None:
    """The answers of the gateway are those of another preset: of one stage, or of seven, and without a vocabulary."""
    video_id = up.finished(up.post())["id"]
    for count in (1, 7):
        page = pages.open(width=390, height=844)

        def of_so_many(stages: list[dict[str, object]], count: int = count) -> list[dict[str, object]]:
            return [
                {**stages[index % 4], "name": f"{index}", "title": f"Stage {index}"} for index in range(count)
            ]

        def change(route: Route) -> None:
            answer = route.fetch()
            body = answer.json()
            for entry in body["data"]:
                entry["stages"] = of_so_many(entry["stages"])
                entry["vocabulary"] = {}
            route.fulfill(response=answer, json=body)

        page.route("**/v1/videos?*", change)
        page.route("**/v1/models", change)
        page.reload()
        one = card(page, video_id)
        expect(one.locator(".screen video")).to_be_visible()
        expect(one.locator(".pane")).to_have_count(count if count > 1 else 0)
        expect(page.locator("#stage-parameters tbody tr")).to_have_count(count)
        expect(page.locator("#words")).to_be_hidden()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page.unroute_all(behavior="ignoreErrors")


def test_the_documentation_works_under_its_policy(page: Page, up: Up) -> None:
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto(f"{up.url}/docs")
    expect(page.get_by_text("/v1/videos/{video_id}/remix")).to_be_visible()
    assert [url for url in requests if not url.startswith((up.url, "data:"))] == []
