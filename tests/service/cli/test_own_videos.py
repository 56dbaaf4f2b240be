"""`cascade list, watch, continue, remix, delete` and the warnings of `submit`, against a running gateway."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from functools import partial

import pytest

from cascade.service.api.schemas.videos import EstimateView
from cascade.service.cli.progress import duration, estimate_line, stage_bars
from cascade.workers.job_queue import JobQueue
from tests.service.conftest import Invoke

PROMPT = "a red circle moving right on a gray background"


@pytest.fixture
def run(gateway_url: str, job_queue: JobQueue, invoke: Invoke) -> Invoke:
    return partial(invoke, CASCADE_URL=gateway_url)


def submit(run: Invoke, *args: str) -> str:
    return str(run("submit", *args).stdout.strip())


def test_the_list_fits_80_columns_and_has_whole_ids(run: Invoke) -> None:
    ids = [submit(run, prompt) for prompt in (PROMPT, "[red] Ball\nin Zeilen", "円" * 60)]
    listed = run("list")
    assert listed.exit_code == 0, listed.output
    lines = listed.stdout.splitlines()
    assert len(lines) == 1 + len(ids)
    assert max(map(len, lines)) <= 80
    assert [line.split()[0] for line in lines[1:]] == ids[::-1]
    assert "a red circle" in lines[-1] and "[red] Ball in Zeilen" in lines[-2]


def test_the_gateway_filters_the_list(run: Invoke, finish: Callable[..., None]) -> None:
    circle, square = submit(run, PROMPT), submit(run, "a blue square")
    finish(circle)

    def listed(*args: str) -> list[str]:
        return [line.split()[0] for line in run("list", *args).stdout.splitlines()[1:]]

    assert listed("-q", "RED circle") == [circle]
    assert listed("--search", "nothing such") == []
    assert listed("--status", "completed") == [circle]
    assert listed("--status", "completed", "--status", "queued") == [square, circle]
    assert listed("--model", "shapes") == [square, circle]
    first = run("list", "--limit", "1")
    assert f"--after {square}" in first.stderr
    assert listed("--after", square) == [circle]
    assert "no preset" in run("list", "--model", "dreams").stdout


def test_watching_ends_with_the_command_that_downloads(
    invoke: Invoke, gateway_url: str, job_queue: JobQueue, finish: Callable[..., None]
) -> None:
    video_id = submit(partial(invoke, CASCADE_URL=gateway_url), PROMPT)
    finish(video_id)
    by_variable = invoke("watch", video_id, CASCADE_URL=gateway_url).stdout.splitlines()
    assert by_variable[-1].endswith(f"cascade download {video_id}")
    by_option = invoke("watch", video_id, "--url", gateway_url).stdout.splitlines()[-1]
    assert by_option.endswith(f"cascade download {video_id} --url {gateway_url}")
    with_output = (*shlex.split(by_option)[1:], "-o", "/dev/null/no")
    assert "cannot be written" in invoke(*with_output).stdout


def test_drafts_go_on_videos_are_remixed_and_deleted(run: Invoke, finish: Callable[..., None]) -> None:
    draft = submit(run, PROMPT, "--stop-after", "keyframes")
    finish(draft, "keyframes")
    assert run("continue", draft).stdout.strip() == draft
    assert json.loads(run("get", draft).stdout)["stages"][1]["status"] == "queued"
    remix = run("remix", draft, "--from-stage", "interpolation", "--steps", "interpolation=3", "--seed", "9")
    assert remix.exit_code == 0, remix.output
    video = json.loads(run("get", remix.stdout.strip()).stdout)
    assert (video["remixed_from_video_id"], video["seed"]) == (draft, 9)
    assert (video["stages"][0]["reused"], video["stages"][1]["steps"]) == (True, 3)
    assert run("delete", video["id"]).stdout.strip() == f"{video['id']} deleted"
    gone = run("get", video["id"])
    assert (gone.exit_code, "there is no video" in gone.stdout) == (1, True)
    again = run("continue", draft)
    assert (again.exit_code, draft in again.stdout) == (1, True)


def test_what_a_prompt_will_not_show_is_said_beside_the_id(run: Invoke) -> None:
    surfing = run("submit", "a dog surfing on a wave")
    assert surfing.exit_code == 0
    assert "prompt: " in surfing.stderr and "dog" in surfing.stderr
    assert surfing.stdout.strip().startswith("video_") and surfing.stdout.count("\n") == 1
    assert run("submit", PROMPT).stderr == ""
    remixed = run("remix", surfing.stdout.strip(), "--prompt", "a cat")
    assert "cat" in remixed.stderr


@pytest.mark.parametrize(
    ("position", "seconds_left", "line"),
    [
        (1, None, "next in line"),
        (3, 61.2, "place 3 in the line · about 62 s left"),
        (None, 150.0, "about 2 min left"),
        (None, None, ""),
    ],
)
def test_a_place_in_line_is_said_in_words(
    position: int | None, seconds_left: float | None, line: str
) -> None:
    assert estimate_line(EstimateView(position=position, seconds_left=seconds_left)) == line


def test_the_place_in_line_stands_below_the_bars() -> None:
    bars = stage_bars()
    bars.add_task("Keyframes", total=100)
    bars.note = "next in line"
    with bars.console.capture() as capture:
        bars.console.print(bars.get_renderable())
    first, last = capture.get().splitlines()
    assert "Keyframes" in first and last == "next in line"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "1 s"), (119.0, "119 s"), (120.0, "2 min"), (7200.0, "2 h"), (86_400 * 9.0, "9 d"), (-5.0, "1 s")],
)
def test_lengths_of_time_are_short(seconds: float, words: str) -> None:
    assert duration(seconds) == words
