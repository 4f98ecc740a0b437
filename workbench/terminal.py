"""The terminal that a command writes to, and the signals that end a command."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import stat
import sys

_SHOW_CURSOR = b"\x1b[?25h"
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def printable(text: str) -> str:
    r"""Return `text` with control characters written as `\x1b`; tabs and line ends stay."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def write(text: str) -> None:
    """Write to standard output at once, also from a signal handler; errors are ignored."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    with contextlib.suppress(OSError):
        os.write(1, printable(text).encode(encoding, "replace"))


def show_cursor() -> None:
    """Show the cursor of the terminal again, for a process that ends in the midst of a display."""
    if os.isatty(1):
        with contextlib.suppress(OSError):
            os.write(1, _SHOW_CURSOR)


def termination_signals() -> tuple[signal.Signals, ...]:
    """Return the signals that ask a process to stop; not SIGHUP under `nohup`, which ignores it."""
    hangup = getattr(signal, "SIGHUP", None)
    heard = hangup is not None and signal.getsignal(hangup) is not signal.SIG_IGN
    return (signal.SIGINT, signal.SIGTERM, *((hangup,) if heard else ()))


def drop_closed_terminal() -> None:
    """Point standard output and error to nowhere if their terminal was closed.

    Every write to it would raise OSError and prevent an orderly exit.
    """
    for descriptor in (1, 2):
        with contextlib.suppress(OSError):
            if stat.S_ISCHR(os.fstat(descriptor).st_mode) and not os.isatty(descriptor):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, descriptor)
                os.close(nowhere)
