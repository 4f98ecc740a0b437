"""Ctrl-C: where nothing can be lost by ending there and then, and where something can."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

INTERRUPTED = 130


@contextmanager
def ending_at_once(told: Callable[[], str]) -> Iterator[None]:
    """SIGINT and SIGTERM end the process with exit code 130, after it has said what is `told`.

    An exception out of somebody's half-done import would not be told from a mistake, and one in a
    callback of somebody's compiler is ignored.
    """

    def end(number: int, frame: object) -> None:
        os.write(1, f"\n{told()}\n".encode())
        os._exit(INTERRUPTED)

    with _answered(end):
        yield


@contextmanager
def noted(told: str) -> Iterator[Callable[[], bool]]:
    """The first SIGINT or SIGTERM is answered by what is `told`, and noted; the next interrupts.

    What is yielded tells whether one has come, to whoever can stop where nothing is lost.
    """
    came = False

    def note(number: int, frame: object) -> None:
        nonlocal came
        if came:
            raise KeyboardInterrupt
        came = True
        os.write(1, f"\n{told}\n".encode())

    with _answered(note):
        yield lambda: came


@contextmanager
def _answered(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)
