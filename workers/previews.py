"""Previews: what a running stage takes the clip to be, as a small animated picture, before its last step.

The stage only hands a copy of the frames over. They are encoded and sent by a thread of their own, which drops what is older
than the newest and is waited for by nobody: a preview never delays a stage and never fails it. The newest is in Redis while
the stage runs; it is no part of the job's record.
"""

from __future__ import annotations

import base64
import json
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor

from cascade.models.clip import Clip
from cascade.models.media.small_webp import encode_small_webp
from cascade.workers.jobs.events import MAX_NEWS
from cascade.workers.keys import LEASE_HOLDERS, NEWS, preview_key
from cascade.workers.progress import Progress
from cascade.workers.queue.lease import Lease
from cascade.workers.redis_client import RedisClient, load_script

MAX_BYTES = 15_000
"""Of the picture; base64 makes 20,000 of them."""
TTL_S = 600
MIN_INTERVAL_S = 0.25
"""Quick stages show no more than four previews a second."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Preview:
    """What a stage takes the clip to be after step k of n: uint8 frames (frames, height, width, 3) on the CPU."""

    lease: Lease
    stage: str
    step: int
    steps: int
    frames: Tensor
    fps: int


class PreviewSender:
    """Encodes and sends previews in a thread, which starts with the first one."""

    def __init__(self, redis: RedisClient) -> None:
        self._publish = load_script(redis, "publish_preview.lua", needs_memory=True)
        self._changed = threading.Condition()
        self._waiting: Preview | None = None
        self._thread: threading.Thread | None = None

    def offer(self, preview: Preview) -> None:
        """Let a preview be sent; it takes the place of one that still waits."""
        with self._changed:
            self._waiting = preview
            self._changed.notify()
        if self._thread is None:
            self._thread = threading.Thread(target=self._send_forever, name="previews", daemon=True)
            self._thread.start()

    def _send_forever(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting is not None)
                preview, self._waiting = self._waiting, None
            assert preview is not None
            try:
                self.send(preview)
            except Exception as error:
                logger.warning("a preview of stage %s is not sent: %s", preview.stage, error)

    def send(self, preview: Preview) -> bool:
        """Send a preview now; return whether it was: not where it is too large, or its stage has ended."""
        picture = encode_small_webp(preview.frames, preview.fps, MAX_BYTES)
        if picture is None:
            return False
        content = {
            "stage": preview.stage,
            "step": preview.step,
            "steps": preview.steps,
            "image": f"data:image/webp;base64,{base64.b64encode(picture).decode()}",
        }
        lease = preview.lease
        return bool(
            self._publish(
                keys=[LEASE_HOLDERS, preview_key(lease.job_id), NEWS],
                args=[lease.member, lease.owner, json.dumps(content), TTL_S, lease.job_id, MAX_NEWS],
            )
        )


@dataclass
class WatchedProgress:
    """The callback of a stage's steps that also offers previews: of the first step, and of every `every`-th but the last.

    Attributes:
        progress: of the stage.
        show: turns the sampler's (1, channels, frames, height, width) into a clip, as `Stage.show_sample` does.
    """

    progress: Progress
    sender: PreviewSender
    every: int
    fps: int
    show: Callable[[Tensor, int], Clip]
    _next_at: float = field(default=0.0, init=False)

    def __call__(self, step: int, steps: int) -> None:
        self.progress(step, steps)

    def look(self, step: int, steps: int, estimate: Callable[[], Tensor]) -> None:
        """Offer a preview of the batch's first video, if it is time for one."""
        due = step == 1 or step % self.every == 0
        if not due or step >= steps or time.monotonic() < self._next_at:
            return
        self._next_at = time.monotonic() + MIN_INTERVAL_S
        try:
            clip = self.show(estimate()[:1].float(), self.fps)
            if clip.frames.isfinite().all():
                frames = clip.to_uint8()[0].cpu()
                lease, stage = self.progress.lease, self.progress.stage
                self.sender.offer(Preview(lease, stage, step, steps, frames, clip.fps))
        except Exception as error:  # whatever it is, the stage itself can go on
            logger.warning("stage %s shows no preview of step %d: %s", self.progress.stage, step, error)
