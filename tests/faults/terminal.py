"""A process on a terminal of its own, which can be closed under it."""

from __future__ import annotations

import os
import pty
import select
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress


class Terminal:
    """The master side of a process's terminal."""

    def __init__(self, process: int, descriptor: int) -> None:
        self.process = process
        self._descriptor: int | None = descriptor
        self._code: int | None = None

    def _read(self, seconds: float) -> bytes:
        """Return what was written; empty at the end."""
        assert self._descriptor is not None
        if not select.select([self._descriptor], [], [], seconds)[0]:
            raise TimeoutError(f"nothing was written within {seconds} s")
        try:
            return os.read(self._descriptor, 65536)
        except OSError:  # the other side is closed
            return b""

    def wait_for(self, word: bytes, seconds: float = 60) -> bytes:
        """Read until `word` was written."""
        text = b""
        while word not in text:
            piece = self._read(seconds)
            if not piece:
                raise AssertionError(f"the process ended: {text.decode(errors='replace')}")
            text += piece
        return text

    def read_to_end(self, seconds: float = 30) -> bytes:
        """Read until the process closes its side."""
        text = b""
        while piece := self._read(seconds):
            text += piece
        return text

    def close(self) -> None:
        """Close the terminal, as a user closes its window."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def exit_code(self, seconds: float = 30) -> int:
        """Return the exit code, minus the signal if one killed the process."""
        end = time.monotonic() + seconds
        while self._code is None:
            process, status = os.waitpid(self.process, os.WNOHANG)
            if process:
                self._code = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > end:
                raise TimeoutError(f"the process did not end within {seconds} s")
            else:
                time.sleep(0.01)
        return self._code

    def kill(self) -> None:
        """Kill the process if it still runs."""
        if self._code is None:
            with suppress(ProcessLookupError):
                os.kill(self.process, signal.SIGKILL)
            self.exit_code()


@contextmanager
def run_in_terminal(command: Sequence[str]) -> Iterator[Terminal]:
    """Context manager: run a command on a new terminal; it is killed at the end."""
    process, descriptor = pty.fork()
    if not process:
        os.environ["TERM"] = "xterm"
        os.execv(command[0], list(command))
    terminal = Terminal(process, descriptor)
    try:
        yield terminal
    finally:
        terminal.kill()
        terminal.close()
