"""Memory in large pages, where the C library can be told so.

Where Linux gives large pages to those who ask (`madvise`, the default of most distributions), the
tensors of torch stand in pages of 4 KB, and to look these up takes up to a third of an update's
time. glibc asks for all that it allocates, if its tunables say so when a process begins.
"""

from __future__ import annotations

import contextlib
import os
import sys

TUNABLES = "GLIBC_TUNABLES"
LARGE_PAGES = "glibc.malloc.hugetlb=1"


def variables() -> dict[str, str]:
    """What a new process should find in its environment: the user's own tunables, if any."""
    return {TUNABLES: os.environ.get(TUNABLES, LARGE_PAGES)}


def begin_anew() -> None:
    """Begin this process anew with large pages, if it was not begun so."""
    if sys.platform != "linux" or TUNABLES in os.environ:
        return
    os.environ.update(variables())
    with contextlib.suppress(OSError):
        os.execv(sys.executable, sys.orig_argv)
