"""The clients of a storm: they submit with idempotency keys, retry what fails, cancel, delete and continue."""

from __future__ import annotations

import queue
import random
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import httpx
from storm_stack import StormStack

PROMPT = "a red circle moving right on a gray background"
STEPS = {"keyframes": 2, "interpolation": 1, "super-resolution": 1, "expert-translation": 1}
SIZE = "128x80"
DRAFT = "interpolation"
RETRY_S = 0.5


@dataclass
class Submission:
    """One video as its client sees it.

    Attributes:
        plan: what its client does with it: nothing (`watch`), `cancel`, `delete`, or `continue` (a draft, once it is done).
        ids: what POST answered, over all tries; more than one is a duplicate.
        gone: the client deleted it.
    """

    number: int
    seed: int
    plan: str
    ids: set[str] = field(default_factory=set)
    gone: bool = False
    tries: int = 0

    @property
    def body(self) -> dict[str, Any]:
        """Return the request."""
        body: dict[str, Any] = {"prompt": PROMPT, "seed": self.seed, "steps": STEPS, "size": SIZE}
        return body | ({"stop_after": DRAFT} if self.plan == "continue" else {})


class Clients:
    """Threads that work through the submissions, evenly over the time that the storm lasts."""

    def __init__(
        self, stack: StormStack, submissions: list[Submission], seconds: float, threads: int
    ) -> None:
        self.stack = stack
        self.deadline = time.monotonic() + seconds + 600
        self._waiting: queue.SimpleQueue[Submission] = queue.SimpleQueue()
        for submission in submissions:
            self._waiting.put(submission)
        self._pause_s = seconds * threads / max(len(submissions), 1)
        self._threads = [
            threading.Thread(target=self._run, args=(number,), name=f"client-{number}")
            for number in range(threads)
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        """Wait until every submission was taken, and what its client does with it is done."""
        for thread in self._threads:
            thread.join()

    def _run(self, number: int) -> None:
        draw = random.Random(number)
        with httpx.Client(base_url=self.stack.url, timeout=20) as http:
            while True:
                try:
                    submission = self._waiting.get_nowait()
                except queue.Empty:
                    return
                began = time.monotonic()
                self._submit(http, submission, draw)
                if submission.ids:
                    time.sleep(draw.uniform(0, 3))
                    self._follow(http, submission)
                time.sleep(max(0.0, self._pause_s - (time.monotonic() - began)))

    def _submit(self, http: httpx.Client, submission: Submission, draw: random.Random) -> None:
        """POST until it is answered; now and then once more, as a client does whose answer was lost."""
        headers = {"Idempotency-Key": f"storm-{submission.number}"}
        again = draw.random() < 0.1
        while time.monotonic() < self.deadline:
            submission.tries += 1
            answer = request(http, "POST", "/v1/videos", json=submission.body, headers=headers)
            if answer is not None and answer.is_success:
                submission.ids.add(answer.json()["id"])
                if not again:
                    return
                again = False
            elif answer is not None and 400 <= answer.status_code < 500 and answer.status_code != 429:
                raise RuntimeError(f"POST was refused: {answer.status_code} {answer.text}")
            else:
                time.sleep(RETRY_S)

    def _follow(self, http: httpx.Client, submission: Submission) -> None:
        (video_id,) = list(submission.ids)[:1]
        if submission.plan == "delete":
            self._insist(http, "DELETE", f"/v1/videos/{video_id}", 404)
            submission.gone = True
        elif submission.plan == "cancel":
            self._insist(http, "POST", f"/v1/videos/{video_id}/cancel", 409)

    def _insist(self, http: httpx.Client, method: str, path: str, done: int) -> None:
        """Send a request until it succeeds, or is answered with the status that says that it did before."""
        while time.monotonic() < self.deadline:
            answer = request(http, method, path)
            if answer is not None and (answer.is_success or answer.status_code == done):
                return
            time.sleep(RETRY_S)


def request(http: httpx.Client, method: str, path: str, **fields: Any) -> httpx.Response | None:
    """Send a request; None if the gateway could not be reached or did not answer."""
    try:
        return http.request(method, path, **fields)
    except httpx.TransportError:
        return None


class DraftContinuer:
    """A thread that lets drafts go on once they are completed, as their clients would."""

    def __init__(self, stack: StormStack, submissions: list[Submission]) -> None:
        self.stack = stack
        self._drafts = [submission for submission in submissions if submission.plan == "continue"]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="continuer")

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; drafts that were not completed by now stay drafts."""
        self._stop.set()
        self._thread.join()

    @property
    def done(self) -> bool:
        """Return whether every draft went on or has come to nothing."""
        return not self._drafts

    def _run(self) -> None:
        with httpx.Client(base_url=self.stack.url, timeout=20) as http:
            while not self._stop.wait(1):
                self._drafts = [draft for draft in self._drafts if not self._went_on(http, draft)]

    def _went_on(self, http: httpx.Client, draft: Submission) -> bool:
        for video_id in list(draft.ids):
            answer = request(http, "GET", f"/v1/videos/{video_id}")
            if answer is None or answer.status_code >= 500:
                return False
            if answer.status_code == 404:
                return True
            video = answer.json()
            if video["status"] == "completed" and video["stages"][-1]["status"] != "completed":
                request(http, "POST", f"/v1/videos/{video_id}/continue")
                return False  # looked at again: the answer may have been lost
            return video["stages"][2]["status"] != "pending" or video["status"] in ("failed", "cancelled")
        return False
