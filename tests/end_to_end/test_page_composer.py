"""The form of the page: examples, the words that a preset knows, doubts while one types, and errors beside their fields."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.end_to_end.browsing import screenshot
from tests.end_to_end.conftest import ANSWER_S, Up

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

FEW = 6
"""Examples that are shown before somebody asks for all."""


def models_of(up: Up) -> list[dict[str, Any]]:
    models: list[dict[str, Any]] = httpx.get(f"{up.url}/v1/models", timeout=ANSWER_S).json()["data"]
    return models


def test_an_example_is_taken_as_it_reads_and_then_offers_another(page: Page, up: Up) -> None:
    button = page.locator(".example").first
    example = button.inner_text()
    button.click()
    expect(page.locator("#prompt")).to_have_value(example)
    expect(button).not_to_have_text(example)
    other = button.inner_text()
    button.click()
    expect(page.locator("#prompt")).to_have_value(other)
    (model,) = models_of(up)
    if len(model["example_prompts"]) > FEW:
        expect(page.locator(".example")).to_have_count(FEW)
        page.get_by_role("button", name="Show all").click()
    expect(page.locator(".example")).to_have_count(len(model["example_prompts"]))
    page.get_by_role("button", name="Vary").click()
    expect(page.locator("#prompt")).not_to_have_value(other)


def test_a_variation_of_two_objects_keeps_them_apart(page: Page, up: Up) -> None:
    vary = """async () => {
        const { vary } = await import("./web/vocabulary.js");
        const words = { shape: ["circle", "square", "triangle"], colour: ["red", "orange", "blue"], ground: ["blue", "light blue"] };
        return Array.from({ length: 200 }, () => vary("A red circle above a blue square on a light blue wall", words));
    }"""
    varied = set(page.evaluate(vary))
    found = [
        re.fullmatch(r"An? (red|orange|blue) (\w+) above an? blue (\w+) on a light blue wall", text)
        for text in varied
    ]
    assert all(found) and len(varied) > 2
    assert all(match and match[2] != match[3] for match in found)
    assert any(text.startswith("An orange") for text in varied)


def test_a_click_puts_in_a_word_that_the_preset_knows(page: Page, up: Up) -> None:
    page.locator("#words summary").click()
    page.fill("#prompt", "a red circle")
    word = page.locator("#vocabulary .word")
    word.get_by_text("orange", exact=True).click()
    expect(page.locator("#prompt")).to_have_value("an orange circle")
    word.get_by_text("moving left", exact=True).click()
    expect(page.locator("#prompt")).to_have_value("an orange moving left circle")
    screenshot(page, "words")


def test_what_is_not_understood_is_said_while_one_types(page: Page, up: Up) -> None:
    page.locator("#prompt").press_sequentially("a dog surfing on a wave")
    expect(page.locator("#doubts")).to_contain_text("dog")
    screenshot(page, "doubts")
    page.fill("#prompt", "a red circle moving right on a gray background")
    expect(page.locator("#doubts p")).to_have_count(0)


def test_what_is_wrong_is_said_in_words_at_its_field(page: Page, up: Up) -> None:
    page.fill("#prompt", "   ")
    page.click("text=Make video")
    prompt = page.locator("#prompt")
    expect(prompt).to_be_focused()
    expect(prompt).to_have_attribute("aria-invalid", "true")
    expect(prompt).to_have_accessible_description("Must not be empty.")
    page.fill("#prompt", "a red circle")
    page.locator("#options summary").click()
    page.fill("[name=seed]", "99999999999")
    page.fill('[name="steps.keyframes"]', "101")
    page.fill("[name=best_of]", "17")
    page.locator("#options summary").click()
    page.click("text=Make video")
    for name, words in {
        "seed": "A whole number from 0 to 4294967295, please.",
        "best_of": f"A whole number from 1 to {models_of(up)[0]['max_best_of']}, please.",
        "steps.keyframes": "A whole number from 1 to 100, please.",
    }.items():
        expect(page.locator(f'[name="{name}"]')).to_have_accessible_description(words)
    expect(prompt).not_to_have_attribute("aria-invalid", "true")
    screenshot(page, "refused")


def test_a_refusal_of_the_gateway_is_shown_at_its_field(page: Page, up: Up) -> None:
    page.fill("#prompt", "a red circle")
    page.locator("[name=best_of]").evaluate("field => { field.removeAttribute('max'); field.value = 9; }")
    page.click("text=Make video")
    expect(page.locator("[name=best_of]")).to_have_accessible_description(re.compile("May be 1 to"))
    expect(page.locator("#composer")).not_to_contain_text("best_of")
