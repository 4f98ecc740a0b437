"""Handling of the signals that end a command: exit at once, or stop at the next safe point."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from workbench.terminal import drop_closed_terminal, show_cursor, termination_signals, write

INTERRUPTED = 130


@contextmanager
def exit_on_signal(message: Callable[[], str]) -> Iterator[None]:
    """Let SIGINT, SIGTERM and SIGHUP print `message` and end the process with exit code 130.

    We call os._exit: a KeyboardInterrupt raised inside a third-party import looks like an import
    error, and one raised in a compiler callback is swallowed.
    """

    def handle(number: int, frame: object) -> None:
        show_cursor()
        write(f"\n{message()}\n")
        os._exit(INTERRUPTED)

    with _signal_handler(handle):
        yield


@contextmanager
def stop_on_signal(message: str) -> Iterator[Callable[[], bool]]:
    """Let the first SIGINT, SIGTERM or SIGHUP print `message` and set a flag.

    The next signal raises KeyboardInterrupt.

    Yields:
        a function that returns the flag, to be checked where stopping is safe.
    """
    received = False

    def handle(number: int, frame: object) -> None:
        nonlocal received
        drop_closed_terminal()
        if received:
            raise KeyboardInterrupt
        received = True
        write(f"\n{message}\n")

    with _signal_handler(handle):
        yield lambda: received


@contextmanager
def _signal_handler(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Install a handler for the signals that end a command, and restore the previous ones."""
    previous = {number: signal.signal(number, handler) for number in termination_signals()}
    try:
        yield
    finally:
        for number, old_handler in previous.items():
            signal.signal(number, old_handler)
