"""Ctrl-C and SIGTERM while a run trains: the step goes to its end, the state is saved, and the run says where."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class TrainingStopped(KeyboardInterrupt):
    """A run was told to stop, and has saved its state; the message says where."""


@contextmanager
def stop_requests() -> Iterator[Callable[[], bool]]:
    """Give a function that tells whether the process was told to stop; the second time it is stopped at once.

    In other threads than the main one, which gets all signals, nobody is told.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    received: list[int] = []
    previous = {number: signal.getsignal(number) for number in SIGNALS}

    def remember(number: int, _frame: FrameType | None) -> None:
        received.append(number)
        signal.signal(number, previous[signal.Signals(number)])

    for number in SIGNALS:
        signal.signal(number, remember)
    try:
        yield lambda: bool(received)
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
