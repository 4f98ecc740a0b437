"""What a process that computes asks of its machine."""

from __future__ import annotations

import contextlib
import ctypes
import platform
import resource
import sys
from pathlib import Path

import torch

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # M_... of glibc's malloc.h
_KEPT, _LARGE = 256 << 20, 32 << 20


def prepare(threads: int) -> None:
    """Compute on so many threads, and keep freed memory for what is allocated next.

    By default glibc gives memory back at the end of almost every update, and the system hands it
    out anew, page by page and zeroed: up to a half of an update of a graph encoder went there.
    Now up to 256 MB of freed memory stay with the process; pieces above 32 MB still come and go.
    Other C libraries are left as they are.
    """
    torch.set_num_threads(threads)
    if platform.libc_ver()[0] == "glibc":
        library = ctypes.CDLL(None)
        library.mallopt(_TRIM_THRESHOLD, _KEPT)
        library.mallopt(_MMAP_THRESHOLD, _LARGE)


def forget_peak_memory() -> None:
    """Begin `peak_memory` anew, for a process that ran other trials before; on Linux only."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def peak_memory() -> int:
    """The most memory that this process held since it was last forgotten, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak / (2**20 if sys.platform == "darwin" else 2**10))
