"""Process-level settings for computation: threads, memory allocation, peak memory."""

from __future__ import annotations

import contextlib
import ctypes
import platform
import resource
import sys
from pathlib import Path

import torch

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # M_... of glibc's malloc.h
_KEPT_BYTES, _LARGE_BYTES = 256 << 20, 32 << 20


def configure(threads: int) -> None:
    """Set the number of torch threads, and let glibc reuse freed memory.

    By default glibc returns memory to the system after almost every update. The system then hands
    it out again page by page, zeroed, which took up to half of an update of a graph encoder. With
    these settings the process keeps up to 256 MB of freed memory; blocks above 32 MB are still
    returned. Other C libraries are not changed.
    """
    torch.set_num_threads(threads)
    if platform.libc_ver()[0] == "glibc":
        library = ctypes.CDLL(None)
        library.mallopt(_TRIM_THRESHOLD, _KEPT_BYTES)
        library.mallopt(_MMAP_THRESHOLD, _LARGE_BYTES)


def reset_peak_memory() -> None:
    """Reset `peak_memory`, for a process that ran other trials before. Linux only."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def peak_memory() -> int:
    """Return the peak resident memory since the last reset, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak / (2**20 if sys.platform == "darwin" else 2**10))
