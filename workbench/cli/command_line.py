"""The command line as it may be shown and stored."""

from __future__ import annotations

import sys


def command_line() -> str:
    """Return the command that this process runs, without credentials in its addresses."""
    from ablations.tracking.address import redacted_command

    return redacted_command(sys.argv[1:])
