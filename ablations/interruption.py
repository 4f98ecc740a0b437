"""Ctrl-C and SIGTERM as a flag that is looked at where stopping is safe."""

from __future__ import annotations

import os
import signal
import sys
import threading
from types import FrameType, TracebackType
from typing import Any, NoReturn

PATIENCE = 9.0
"""Seconds that an orderly end may take after the first signal."""

EXIT_CODE = 130


def leave(code: int) -> NoReturn:
    """End this process with an exit code; after an interruption without further ceremony.

    All is closed by then, but with Ray loaded the interpreter can take seconds to take itself down.
    """
    if code != EXIT_CODE:
        sys.exit(code)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


class Interrupted(KeyboardInterrupt):
    """The user, or the system, asked to stop."""


class Interruption:
    """Catches SIGINT and SIGTERM for as long as it is entered; in the main thread only.

    with Interruption() as interruption:
        while work:
            interruption.check()
    """

    def __init__(self) -> None:
        self.requested = False
        self._before: dict[signal.Signals, Any] = {}
        # What hangs (a tracking server that does not answer) must not keep the user waiting.
        self._watchdog = threading.Timer(PATIENCE, os._exit, (EXIT_CODE,))
        self._watchdog.daemon = True

    def __enter__(self) -> Interruption:
        for number in (signal.SIGINT, signal.SIGTERM):
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
        """Raises Interrupted if a signal has come."""
        if self.requested:
            raise Interrupted

    def _request(self, number: int, frame: FrameType | None) -> None:
        if not self.requested:
            self.requested = True
            self._watchdog.start()
