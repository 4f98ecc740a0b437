"""Ctrl-C, SIGTERM and SIGHUP as a flag that is checked where stopping is safe."""

from __future__ import annotations

import os
import signal
import sys
import threading
from types import FrameType, TracebackType
from typing import Any, NoReturn

from workbench.terminal import drop_closed_terminal, show_cursor, termination_signals

PATIENCE = 9.0
"""Maximum number of seconds for an orderly exit after the first signal."""

EXIT_CODE = 130


def exit_process(code: int) -> NoReturn:
    """End this process with an exit code; after an interruption, skip the interpreter's shutdown.

    All files are closed by then, but with Ray loaded the shutdown can take seconds.
    """
    if code != EXIT_CODE:
        sys.exit(code)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _exit_at_once() -> None:
    show_cursor()
    os._exit(EXIT_CODE)


class Interrupted(KeyboardInterrupt):
    """The user or the system asked to stop."""


class FirstFailure(KeyboardInterrupt):
    """The launch stops because a trial failed; it ends Ray as an interruption does."""


class Interruption:
    """Context manager that catches SIGINT, SIGTERM and SIGHUP in the main thread.

    with Interruption() as interruption:
        while work:
            interruption.check()
    """

    def __init__(self) -> None:
        self.requested = False
        self._before: dict[signal.Signals, Any] = {}
        # Work that hangs, such as a tracking server without answer, must not keep the user waiting.
        self._watchdog = threading.Timer(PATIENCE, _exit_at_once)
        self._watchdog.daemon = True

    def __enter__(self) -> Interruption:
        for number in termination_signals():
            self._before[number] = signal.signal(number, self._request)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._watchdog.cancel()
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def check(self) -> None:
        """Raise Interrupted if a signal has arrived."""
        if self.requested:
            raise Interrupted

    def _request(self, number: int, frame: FrameType | None) -> None:
        drop_closed_terminal()
        if not self.requested:
            self.requested = True
            self._watchdog.start()
