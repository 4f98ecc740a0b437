"""Entry point of the command: errors become messages and exit codes, without tracebacks.

The module imports almost nothing, so that Ctrl-C during the imports of the commands is caught too.
"""

from __future__ import annotations

import errno
import os
import sys
from io import TextIOWrapper
from typing import NoReturn

FAILED, BAD_INPUT, INTERRUPTED = 1, 2, 130

MACHINE_ERRORS = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.EMFILE}
)
"""Errors of the disk or of permissions, which are no fault of the program."""


def main() -> None:
    """Run the command. A user error ends with exit code 2 and without a traceback."""
    try:
        _replace_missing_characters()
        _run()
    except KeyboardInterrupt:
        _exit_with_message(INTERRUPTED, "Interrupted.")
    except BrokenPipeError:
        _ignore_further_output()
        sys.exit(FAILED)
    except OSError as error:
        if error.errno not in MACHINE_ERRORS:
            raise
        file = "cannot write" if error.filename is None else error.filename
        _exit_with_message(FAILED, f"{file}: {error.strerror}")


def _run() -> None:
    from workbench.cli.app import app
    from workbench.errors import ConfigError, WorkbenchError

    try:
        app(prog_name="workbench")
    except ConfigError as error:
        count = len(error.problems)
        _exit_with_message(BAD_INPUT, str(error), f"{count} problem{'s' if count != 1 else ''}")
    except WorkbenchError as error:
        _exit_with_message(BAD_INPUT, str(error))
    finally:
        sys.stdout.flush()


def _replace_missing_characters() -> None:
    """Print a question mark for a character that the terminal's encoding lacks."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")


def _ignore_further_output() -> None:
    """Let Python's flush at exit succeed although nothing can be written."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _exit_with_message(code: int, *lines: str) -> NoReturn:
    from workbench.terminal import printable

    try:
        sys.stdout.flush()
    except OSError:
        _ignore_further_output()
    for line in lines:
        print(printable(line), file=sys.stderr)
    sys.exit(code)
